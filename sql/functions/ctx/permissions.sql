-- Who may do what: the one place. Policies and the gate ask here; nothing else knows a role.
-- A constant, so that to ask costs no query.
create or replace function ctx.permissions()
returns jsonb
language sql
immutable
parallel safe
security invoker
return '{
    "owner": [
        "organisation.read", "organisation.update", "members.read", "members.write", "owners.write",
        "projects.read", "projects.write", "api_keys.read", "api_keys.write", "audit.read"
    ],
    "admin": [
        "organisation.read", "organisation.update", "members.read", "members.write",
        "projects.read", "projects.write", "api_keys.read", "api_keys.write", "audit.read"
    ],
    "member": ["organisation.read", "projects.read", "projects.write"],
    "viewer": ["organisation.read", "projects.read"],
    "api_key": ["projects.read", "projects.write"]
}'::jsonb;

comment on function ctx.permissions() is
    '{role: [permission]}: what each role may do in an organisation. ctx.permission has it in rows.';

grant execute on function ctx.permissions() to saas_gate;
