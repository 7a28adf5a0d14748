create or replace function api.get_organisation(
    p_credential bytea,
    p_request_id text,
    p_organisation_id uuid
)
returns json
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform gate.enter(p_credential, p_request_id, p_organisation_id, 'organisation.read');
    return (
        select row_to_json(o) from api.organisations as o
        where o.organisation_id = p_organisation_id
    );
end
$$;

comment on function api.get_organisation(bytea, text, uuid) is
    'GET /orgs/{organisation_id}. Raises SA401, SA403, SA404.';

grant execute on function api.get_organisation(bytea, text, uuid) to saas_api;
