create or replace function ctx.role()
returns text
language sql
stable
parallel restricted
security invoker
return gate.sealed('app.role');

comment on function ctx.role() is
    'The role in the organisation entered; null where a user has entered none. Raises SA401 without a sealed context.';

grant execute on function ctx.role() to saas_api, saas_gate;
