create or replace function dba.evaluate(p_expression text, p_table regclass, p_row text)
returns text
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_value text;
begin
    if p_row is null or not (
        select has_schema_privilege(c.relnamespace, 'usage') from pg_class as c where c.oid = p_table
    ) then
        return null;
    end if;
    execute format(
        'select (%s)::text from (select (%L::%s).*) as %I',
        p_expression, p_row, p_table,
        (select c.relname from pg_class as c where c.oid = p_table)
    ) into v_value;
    return v_value;
exception
    when undefined_column then
        raise exception using
            errcode = '22023',
            message = format('a policy of %s asks for more than the row: %s', p_table, sqlerrm),
            hint = 'System columns, such as ctid, are no part of it.';
end
$$;

comment on function dba.evaluate(text, regclass, text) is
    'What an expression of a policy is for a row, here and now, with the rights of who asks; null without a row, or in a schema that is closed to who asks. Raises 22023 for a system column.';

grant execute on function dba.evaluate(text, regclass, text) to saas_api, saas_dba;
