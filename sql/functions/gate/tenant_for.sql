-- A definer, because what each role may do is told to the gate alone.
create or replace function gate.tenant_for(p_permission text)
returns uuid
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant_id uuid := gate.context('app.tenant_id');
begin
    -- The seal holds for the role as well, and nothing of the caller's runs in between.
    if ctx.permissions() -> current_setting('app.role') ? p_permission then
        return v_tenant_id;
    end if;
    return null;
end
$$;

comment on function gate.tenant_for(text) is
    'The organisation entered, if the sealed role has the permission in it; else null. Raises SA401 without a sealed context.';

grant execute on function gate.tenant_for(text) to saas_api;
