create or replace function ctx.api_key_id()
returns uuid
language sql
stable
parallel restricted
security invoker
return gate.sealed('app.api_key_id')::uuid;

comment on function ctx.api_key_id() is
    'The API key; null for a user. Raises SA401 without a sealed context.';

grant execute on function ctx.api_key_id() to saas_api, saas_gate;
