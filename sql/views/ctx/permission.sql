create view ctx.permission with (security_invoker = true) as
select r.role, p.permission
from jsonb_each(ctx.permissions()) as r (role, permissions)
cross join jsonb_array_elements_text(r.permissions) as p (permission);

comment on view ctx.permission is 'Who may do what in an organisation: a row is a right, of ctx.permissions().';
comment on column ctx.permission.role is 'owner, admin, member, viewer, or api_key.';
comment on column ctx.permission.permission is 'noun.verb; owners.write is to grant, change and remove owners.';

grant select on ctx.permission to saas_gate;
