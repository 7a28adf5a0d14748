create view api.projects with (security_invoker = true) as
select
    p.project_id, p.organisation_id, p.name, p.description, p.status, p.created_at, p.updated_at
from app.projects as p
where p.deleted_at is null;

comment on view api.projects is 'A project as the API shows it: a deleted one is not shown.';
comment on column api.projects.project_id is 'UUID version 7.';
comment on column api.projects.organisation_id is 'The organisation.';
comment on column api.projects.name is '1 to 200 characters.';
comment on column api.projects.description is 'Null: none.';
comment on column api.projects.status is 'active or archived.';
comment on column api.projects.created_at is 'UTC.';
comment on column api.projects.updated_at is 'UTC. When a value last changed.';

grant select on api.projects to saas_api;
grant insert (organisation_id, name, description, status) on api.projects to saas_api;
grant update (name, description, status) on api.projects to saas_api;
