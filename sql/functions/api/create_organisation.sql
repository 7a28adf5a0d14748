create or replace function api.create_organisation(
    p_credential bytea,
    p_request_id text,
    p_name text
)
returns json
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_organisation_id uuid;
begin
    perform gate.enter_user(p_credential, p_request_id);
    v_organisation_id := gate.create_organisation(p_name);
    return (
        select row_to_json(o) from api.organisations as o
        where o.organisation_id = v_organisation_id
    );
end
$$;

comment on function api.create_organisation(bytea, text, text) is
    'POST /orgs: the caller becomes its owner. Raises SA401, SA403.';

grant execute on function api.create_organisation(bytea, text, text) to saas_api;
