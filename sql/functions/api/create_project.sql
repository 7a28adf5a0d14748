create or replace function api.create_project(
    p_credential bytea,
    p_request_id text,
    p_organisation_id uuid,
    p_name text,
    p_description text,
    p_status text
)
returns json
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_project json;
begin
    perform gate.enter(p_credential, p_request_id, p_organisation_id, 'projects.write');
    insert into api.projects as p (organisation_id, name, description, status)
    values (p_organisation_id, p_name, p_description, p_status)
    returning row_to_json(p) into v_project;
    return v_project;
end
$$;

comment on function api.create_project(bytea, text, uuid, text, text, text) is
    'POST /orgs/{organisation_id}/projects. Raises SA401, SA403, SA404.';

grant execute on function api.create_project(bytea, text, uuid, text, text, text) to saas_api;
