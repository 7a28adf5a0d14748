create or replace function dba.key_condition(p_table regclass, p_id text)
returns text
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_key name[] := array(
        select a.attname
        from pg_index as i
        join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
        where i.indrelid = p_table and i.indisprimary and a.atttypid = 'uuid'::regtype
        order by a.attname = 'organisation_id', a.attnum
    );
begin
    if p_id like '{%' then
        return (
            select string_agg(format('%I = %L', k.key, k.value), ' and ')
            from jsonb_each_text(p_id::jsonb) as k
        );
    elsif cardinality(v_key) - ('organisation_id' = any(v_key))::integer > 1 or v_key[1] is null then
        raise exception using
            errcode = '22023',
            message = format('%s has no single id: %s', p_table, array_to_string(v_key, ', ')),
            hint = 'Give its key as JSON: {"column": "value", ...}.';
    end if;
    return format('%I = %L', v_key[1], p_id);
end
$$;

comment on function dba.key_condition(regclass, text) is
    'The condition that finds a row: by its one id, or by a JSON object of columns. Raises 22023 where one id is not enough.';

grant execute on function dba.key_condition(regclass, text) to saas_dba;
