-- A definer, because what each role may do is told to the gate alone.
create or replace function gate.own_permissions()
returns text[]
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_role text := gate.sealed('app.role');
begin
    return array(select jsonb_array_elements_text(ctx.permissions() -> v_role));
end
$$;

comment on function gate.own_permissions() is
    'What the sealed role may do. For dba.whoami. Raises SA401 without a sealed context.';

grant execute on function gate.own_permissions() to saas_api;
