create or replace function ctx.request_id()
returns text
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return gate.context('app.request_id');
end
$$;

comment on function ctx.request_id() is
    'The id of the request, for the audit. Raises SA401 without a sealed context.';

grant execute on function ctx.request_id() to saas_api, saas_gate;
