-- Who owns the tables reads no row; whether a wall is asked at all depends on the plan.
create or replace function ctx.tenant_id()
returns uuid
language sql
stable
parallel restricted
security invoker
return case when current_user <> 'saas_owner' then gate.sealed('app.tenant_id')::uuid end;

comment on function ctx.tenant_id() is
    'The organisation entered; null where a user has entered none, and for saas_owner. Raises SA401 without a sealed context.';

grant execute on function ctx.tenant_id() to saas_api, saas_gate, saas_audit;
