create or replace function ctx.user_id()
returns uuid
language sql
stable
parallel restricted
security invoker
return gate.sealed('app.user_id')::uuid;

comment on function ctx.user_id() is
    'The user; null for an API key. Raises SA401 without a sealed context.';

grant execute on function ctx.user_id() to saas_api, saas_gate;
