create or replace function dba.granted(p_table regclass, p_verb text)
returns boolean
language sql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select
        has_schema_privilege('saas_api', c.relnamespace, 'usage')
        and case p_verb
            when 'delete' then has_table_privilege('saas_api', p_table, p_verb)
            else has_any_column_privilege('saas_api', p_table, p_verb)
        end
    from pg_class as c
    where c.oid = p_table;
$$;

comment on function dba.granted(regclass, text) is
    'Whether the API''s role has a privilege on the table, or on any of its columns.';

grant execute on function dba.granted(regclass, text) to saas_api, saas_dba;
