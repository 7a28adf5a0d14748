create or replace function api.update_project(
    p_credential bytea,
    p_request_id text,
    p_organisation_id uuid,
    p_project_id uuid,
    p_changes jsonb
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
    update api.projects as p
    set
        name = coalesce(p_changes ->> 'name', p.name),
        description = case
            when p_changes ? 'description' then p_changes ->> 'description' else p.description
        end,
        status = coalesce(p_changes ->> 'status', p.status)
    where p.organisation_id = p_organisation_id and p.project_id = p_project_id
    returning row_to_json(p) into v_project;
    if not found then
        raise exception using errcode = 'SA404', message = 'project not found';
    end if;
    return v_project;
end
$$;

comment on function api.update_project(bytea, text, uuid, uuid, jsonb) is
    'PATCH /orgs/{organisation_id}/projects/{project_id}: p_changes holds the fields to change. Raises SA401, SA403, SA404.';

grant execute on function api.update_project(bytea, text, uuid, uuid, jsonb) to saas_api;
