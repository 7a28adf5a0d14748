-- A definer, because what each role may do is told to the gate alone.
create or replace function gate.permits(p_permission text)
returns boolean
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_role text := gate.context('app.role');
begin
    return coalesce(ctx.permissions() -> v_role ? p_permission, false);
end
$$;

comment on function gate.permits(text) is
    'Whether the sealed role has the permission. Raises SA401 without a sealed context.';

grant execute on function gate.permits(text) to saas_api;
