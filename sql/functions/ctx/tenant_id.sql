create or replace function ctx.tenant_id()
returns uuid
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return gate.context('app.tenant_id')::uuid;
end
$$;

comment on function ctx.tenant_id() is
    'The organisation entered; null where a user has entered none. Raises SA401 without a sealed context.';

grant execute on function ctx.tenant_id() to saas_api, saas_gate, saas_audit;
