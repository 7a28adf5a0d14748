-- Who may do what: the one place. Policies and the gate ask here; nothing else knows a role.
create view ctx.permission with (security_invoker = true) as
select v.role, v.permission
from (
    values
        ('owner', 'organisation.read'),
        ('owner', 'organisation.update'),
        ('owner', 'members.read'),
        ('owner', 'members.write'),
        ('owner', 'owners.write'),
        ('owner', 'projects.read'),
        ('owner', 'projects.write'),
        ('owner', 'api_keys.read'),
        ('owner', 'api_keys.write'),
        ('owner', 'audit.read'),
        ('admin', 'organisation.read'),
        ('admin', 'organisation.update'),
        ('admin', 'members.read'),
        ('admin', 'members.write'),
        ('admin', 'projects.read'),
        ('admin', 'projects.write'),
        ('admin', 'api_keys.read'),
        ('admin', 'api_keys.write'),
        ('admin', 'audit.read'),
        ('member', 'organisation.read'),
        ('member', 'projects.read'),
        ('member', 'projects.write'),
        ('viewer', 'organisation.read'),
        ('viewer', 'projects.read'),
        ('api_key', 'projects.read'),
        ('api_key', 'projects.write')
) as v (role, permission);

comment on view ctx.permission is 'Who may do what in an organisation: a row is a right.';
comment on column ctx.permission.role is 'owner, admin, member, viewer, or api_key.';
comment on column ctx.permission.permission is 'noun.verb; owners.write is to grant, change and remove owners.';

grant select on ctx.permission to saas_gate;
