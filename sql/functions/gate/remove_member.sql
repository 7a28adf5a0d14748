-- A definer, because DELETE on a table also allows LOCK TABLE, and that would stop every tenant.
-- Who may remove whom stands in policies/memberships.sql, in the policy remove_gate.
create or replace function gate.remove_member(p_user_id uuid)
returns boolean
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.memberships as m
    where m.organisation_id = ctx.tenant_id() and m.user_id = p_user_id;
    return found;
end
$$;

comment on function gate.remove_member(uuid) is
    'Removes a member of the organisation entered; false where there is none that the caller may remove.';

grant execute on function gate.remove_member(uuid) to saas_api;
