create or replace function api.get_project(
    p_credential bytea,
    p_request_id text,
    p_organisation_id uuid,
    p_project_id uuid
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
    perform gate.enter(p_credential, p_request_id, p_organisation_id, 'projects.read');
    select row_to_json(p)
    into v_project
    from api.projects as p
    where p.organisation_id = p_organisation_id and p.project_id = p_project_id;
    if not found then
        raise exception using errcode = 'SA404', message = 'project not found';
    end if;
    return v_project;
end
$$;

comment on function api.get_project(bytea, text, uuid, uuid) is
    'GET /orgs/{organisation_id}/projects/{project_id}. Raises SA401, SA403, SA404.';

grant execute on function api.get_project(bytea, text, uuid, uuid) to saas_api;
