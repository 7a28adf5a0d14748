create or replace function api.update_organisation(
    p_credential bytea,
    p_request_id text,
    p_organisation_id uuid,
    p_changes jsonb
)
returns json
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform gate.enter(p_credential, p_request_id, p_organisation_id, 'organisation.update');
    update app.organisations as o
    set name = coalesce(p_changes ->> 'name', o.name)
    where o.organisation_id = p_organisation_id;
    return (
        select row_to_json(o) from api.organisations as o
        where o.organisation_id = p_organisation_id
    );
end
$$;

comment on function api.update_organisation(bytea, text, uuid, jsonb) is
    'PATCH /orgs/{organisation_id}: p_changes holds the fields to change. Raises SA401, SA403, SA404.';

grant execute on function api.update_organisation(bytea, text, uuid, jsonb) to saas_api;
