-- Who looks is a DBA again afterwards, and can look once more. What stays of it, the context and
-- the event, is for dba.find_row to take back.
create or replace function dba.look(
    p_table regclass,
    p_condition text,
    p_email text,
    p_role text,
    p_organisation text
)
returns text
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_myself text := current_setting('role');
    v_row text;
begin
    perform dba.become(p_email, p_role, p_organisation, false);
    execute format('select (t.*)::text from %s as t where %s limit 1', p_table, p_condition) into v_row;
    perform set_config('role', v_myself, true);
    return v_row;
end
$$;

comment on function dba.look(regclass, text, text, text, text) is
    'A row as text, if this user, or this role, of the organisation sees it; else null. For dba.find_row alone.';

grant execute on function dba.look(regclass, text, text, text, text) to saas_dba;
