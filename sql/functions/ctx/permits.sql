create or replace function ctx.permits(p_permission text)
returns boolean
language sql
stable
parallel restricted
security invoker
return gate.sealed('app.tenant_id', coalesce(p_permission, '')) is not null;

comment on function ctx.permits(text) is
    'Whether the caller''s role has the permission here. Raises SA401 without a sealed context.';

grant execute on function ctx.permits(text) to saas_api, saas_gate;
