create or replace function ctx.permits(p_permission text)
returns boolean
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return gate.permits(p_permission);
end
$$;

comment on function ctx.permits(text) is
    'Whether the caller''s role has the permission here. Raises SA401 without a sealed context.';

grant execute on function ctx.permits(text) to saas_api, saas_gate;
