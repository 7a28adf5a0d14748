create or replace function api.authenticate(p_credential bytea)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform gate.authenticate(p_credential);
end
$$;

comment on function api.authenticate(bytea) is
    'Whether a credential is live, and nothing else: raises SA401 if not. Asked before a bad request is refused as such.';

grant execute on function api.authenticate(bytea) to saas_api;
