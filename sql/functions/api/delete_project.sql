create or replace function api.delete_project(
    p_credential bytea,
    p_request_id text,
    p_organisation_id uuid,
    p_project_id uuid
)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform gate.enter(p_credential, p_request_id, p_organisation_id, 'projects.write');
    update app.projects as p
    set deleted_at = now()
    where
        p.organisation_id = p_organisation_id
        and p.project_id = p_project_id
        and p.deleted_at is null;
    if not found then
        raise exception using errcode = 'SA404', message = 'project not found';
    end if;
end
$$;

comment on function api.delete_project(bytea, text, uuid, uuid) is
    'DELETE /orgs/{organisation_id}/projects/{project_id}: soft, the row stays with deleted_at set. Raises SA401, SA403, SA404.';

grant execute on function api.delete_project(bytea, text, uuid, uuid) to saas_api;
