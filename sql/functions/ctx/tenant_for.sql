-- Null for saas_owner, as ctx.tenant_id is.
create or replace function ctx.tenant_for(p_permission text)
returns uuid
language sql
stable
parallel restricted
security invoker
return case
    when current_user <> 'saas_owner'
        then gate.sealed('app.tenant_id', coalesce(p_permission, ''))::uuid
end;

comment on function ctx.tenant_for(text) is
    'The organisation entered, if the caller''s role has the permission in it; else null, and null for saas_owner. One check of the seal answers both. Raises SA401 without a sealed context.';

grant execute on function ctx.tenant_for(text) to saas_api, saas_gate;
