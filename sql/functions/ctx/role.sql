create or replace function ctx.role()
returns text
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return gate.context('app.role');
end
$$;

comment on function ctx.role() is
    'The role in the organisation entered; null where a user has entered none. Raises SA401 without a sealed context.';

grant execute on function ctx.role() to saas_api, saas_gate;
