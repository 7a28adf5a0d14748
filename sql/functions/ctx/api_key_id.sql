create or replace function ctx.api_key_id()
returns uuid
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return gate.context('app.api_key_id')::uuid;
end
$$;

comment on function ctx.api_key_id() is
    'The API key; null for a user. Raises SA401 without a sealed context.';

grant execute on function ctx.api_key_id() to saas_api, saas_gate;
