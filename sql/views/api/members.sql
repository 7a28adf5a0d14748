create view api.members with (security_invoker = true) as
select m.organisation_id, m.user_id, u.email, u.display_name, m.role, m.created_at, m.updated_at
from app.memberships as m
join app.users as u on u.user_id = m.user_id;

comment on view api.members is 'A member of an organisation as the API shows it.';
comment on column api.members.organisation_id is 'The organisation.';
comment on column api.members.user_id is 'The user.';
comment on column api.members.email is 'As given at registration.';
comment on column api.members.display_name is 'Null: none given.';
comment on column api.members.role is 'owner, admin, member or viewer.';
comment on column api.members.created_at is 'UTC. Since when.';
comment on column api.members.updated_at is 'UTC. When the role last changed.';

grant select on api.members to saas_api;
