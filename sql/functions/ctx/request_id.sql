create or replace function ctx.request_id()
returns text
language sql
stable
parallel restricted
security invoker
return gate.sealed('app.request_id');

comment on function ctx.request_id() is
    'The id of the request, for the audit. Raises SA401 without a sealed context.';

grant execute on function ctx.request_id() to saas_api, saas_gate;
