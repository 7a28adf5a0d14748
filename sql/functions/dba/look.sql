-- Whoever it becomes, it is itself again afterwards: the block ends with an error of our own, which
-- takes role, settings and event back.
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
    v_row text;
begin
    perform dba.become(p_email, p_role, p_organisation, true);
    execute format('select t::text from %s as t where %s limit 1', p_table, p_condition) into v_row;
    raise exception using errcode = 'ZZ000';
exception
    when sqlstate 'ZZ000' or insufficient_privilege or sqlstate 'SA404' then
        return v_row;
end
$$;

comment on function dba.look(regclass, text, text, text, text) is
    'A row as text, if this user, or this role, of the organisation sees it; else null.';

grant execute on function dba.look(regclass, text, text, text, text) to saas_dba;
