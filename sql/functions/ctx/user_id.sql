create or replace function ctx.user_id()
returns uuid
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return gate.context('app.user_id')::uuid;
end
$$;

comment on function ctx.user_id() is
    'The user; null for an API key. Raises SA401 without a sealed context.';

grant execute on function ctx.user_id() to saas_api, saas_gate;
