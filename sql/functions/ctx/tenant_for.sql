create or replace function ctx.tenant_for(p_permission text)
returns uuid
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Who owns the tables reads no row; whether a door of theirs is asked at all depends on the plan.
    if current_user = 'saas_owner' then
        return null;
    end if;
    return gate.tenant_for(p_permission);
end
$$;

comment on function ctx.tenant_for(text) is
    'The organisation entered, if the caller''s role has the permission in it; else null, and null for saas_owner. One check of the seal answers both. Raises SA401 without a sealed context.';

grant execute on function ctx.tenant_for(text) to saas_api, saas_gate;
