-- The parameters are named as they are typed in psql: read_only => false.
create or replace function dba.impersonate_role(
    role text,
    organisation text,
    read_only boolean default true
)
returns text
language sql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select dba.become(null, $1, $2, $3);
$$;

comment on function dba.impersonate_role(text, text, boolean) is
    'Become nobody in particular with a role (owner, admin, member, viewer, api_key) until this transaction ends: the user, or the API key, is the nil UUID. Recorded as dba.impersonated. Raises SA404, SA409, and 25001 for read only in a savepoint.';

grant execute on function dba.impersonate_role(text, text, boolean) to saas_dba;
