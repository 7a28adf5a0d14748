create or replace function ctx.tenant_for(p_permission text)
returns uuid
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return gate.tenant_for(p_permission);
end
$$;

comment on function ctx.tenant_for(text) is
    'The organisation entered, if the caller''s role has the permission in it; else null. One check of the seal answers both. Raises SA401 without a sealed context.';

grant execute on function ctx.tenant_for(text) to saas_api, saas_gate;
