-- The parameters are named as they are typed in psql: read_only => false.
create or replace function dba.impersonate(
    email text,
    organisation text default null,
    read_only boolean default true
)
returns text
language sql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select dba.become($1, null, $2, $3);
$$;

comment on function dba.impersonate(text, text, boolean) is
    'Become a user until this transaction ends: same role, same policies, same context as a request. organisation is a name or an id; null: the user has entered none. Recorded as dba.impersonated. Raises SA404, SA409, and 25001 for read only in a savepoint.';

grant execute on function dba.impersonate(text, text, boolean) to saas_dba;
