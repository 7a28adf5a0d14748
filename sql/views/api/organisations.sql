create view api.organisations with (security_invoker = true) as
select o.organisation_id, o.name, o.created_at, o.updated_at
from app.organisations as o;

comment on view api.organisations is 'An organisation as the API shows it.';
comment on column api.organisations.organisation_id is 'UUID version 7.';
comment on column api.organisations.name is '1 to 200 characters.';
comment on column api.organisations.created_at is 'UTC.';
comment on column api.organisations.updated_at is 'UTC. When a value last changed.';

grant select on api.organisations to saas_api;
