create or replace function dba.key_condition(p_table regclass, p_id text)
returns text
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_ids name[] := array(
        select a.attname
        from pg_index as i
        join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
        where
            i.indrelid = p_table and i.indisprimary and a.atttypid = 'uuid'::regtype
            and (a.attname <> 'organisation_id' or i.indnkeyatts = 1)
    );
    v_condition text;
begin
    if p_id like '{%' then
        select string_agg(format('%I = %L', k.key, k.value), ' and ') into v_condition
        from jsonb_each_text(p_id::jsonb) as k;
    elsif cardinality(v_ids) = 1 then
        v_condition := format('%I = %L', v_ids[1], p_id);
    end if;
    if v_condition is null then
        raise exception using
            errcode = '22023',
            message = format('no single row of %s is meant by %s', p_table, p_id),
            hint = 'Its primary key is no single UUID, or no column is named: give columns as JSON, '
            || '{"column": "value", ...}.';
    end if;
    return v_condition;
end
$$;

comment on function dba.key_condition(regclass, text) is
    'The condition that finds a row: by its one id, or by a JSON object of columns. Raises 22023 where one id is not enough, or no column is named.';

grant execute on function dba.key_condition(regclass, text) to saas_dba;
