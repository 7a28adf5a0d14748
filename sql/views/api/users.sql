create view api.users with (security_invoker = true) as
select u.user_id, u.email, u.display_name, u.created_at
from app.users as u;

comment on view api.users is 'A user as the API shows it.';
comment on column api.users.user_id is 'UUID version 7.';
comment on column api.users.email is 'As given at registration.';
comment on column api.users.display_name is 'Null: none given.';
comment on column api.users.created_at is 'UTC.';

grant select on api.users to saas_api;
