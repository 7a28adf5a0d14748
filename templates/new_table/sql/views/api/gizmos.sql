create view api.gizmos with (security_invoker = true) as
select g.gizmo_id, g.organisation_id, g.name, g.created_at, g.updated_at
from app.gizmos as g
where g.deleted_at is null;

comment on view api.gizmos is 'What the API shows of gizmos: a deleted one is not shown.';
comment on column api.gizmos.gizmo_id is 'UUID version 7.';
comment on column api.gizmos.organisation_id is 'The organisation.';
comment on column api.gizmos.name is '1 to 200 characters.';
comment on column api.gizmos.created_at is 'UTC.';
comment on column api.gizmos.updated_at is 'UTC. When a value last changed.';

grant select on api.gizmos to saas_api;
grant insert (organisation_id, name) on api.gizmos to saas_api;
grant update (name) on api.gizmos to saas_api;
