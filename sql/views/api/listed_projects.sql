-- With the rights of its owner, whom the policy enter_list of app.projects is for: who reads one
-- project is not asked about pages (ADR 0019). The wall binds an owner, too.
create view api.listed_projects with (security_invoker = false) as
select
    p.project_id, p.organisation_id, p.name, p.description, p.status, p.created_at, p.updated_at
from app.projects as p
where p.deleted_at is null;

comment on view api.listed_projects is 'api.projects, from where a list has set the bounds of its page.';
comment on column api.listed_projects.project_id is 'UUID version 7.';
comment on column api.listed_projects.organisation_id is 'The organisation.';
comment on column api.listed_projects.name is '1 to 200 characters.';
comment on column api.listed_projects.description is 'Null: none.';
comment on column api.listed_projects.status is 'active or archived.';
comment on column api.listed_projects.created_at is 'UTC.';
comment on column api.listed_projects.updated_at is 'UTC. When a value last changed.';

grant select on api.listed_projects to saas_api;
