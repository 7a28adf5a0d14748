-- Who may touch organisations.
revoke all on table app.organisations from public, saas_api, saas_gate, saas_audit, saas_dba;

grant select on table app.organisations to saas_api;
grant update (name) on table app.organisations to saas_api;

grant select on table app.organisations to saas_gate;
grant insert (organisation_id, name) on table app.organisations to saas_gate;
grant update (name) on table app.organisations to saas_gate;

-- Not granted, on purpose:
--   INSERT to saas_api: gate.create_organisation makes the first owner with it;
--   DELETE: there is no such endpoint;
--   UPDATE of the whole table: it would allow LOCK TABLE, which stops every tenant.

create policy tenant_isolation on app.organisations as restrictive for all to public
using (current_user = 'saas_gate' or organisation_id = (select ctx.tenant_id()))
with check (organisation_id = (select ctx.tenant_id()));
comment on policy tenant_isolation on app.organisations is
'The wall: only the organisation entered. The gate reads all, to find the caller''s own; it writes none but the one entered.';

create policy read_viewer on app.organisations for select to public
using (
    (select current_user = 'saas_api')
    and organisation_id = (select ctx.tenant_for('organisation.read'))
);
comment on policy read_viewer on app.organisations is 'Every member reads; an API key does not.';

create policy update_admin on app.organisations for update to public
using (
    current_user = 'saas_api'
    and organisation_id = (select ctx.tenant_for('organisation.update'))
)
with check (
    current_user = 'saas_api'
    and organisation_id = (select ctx.tenant_for('organisation.update'))
);
comment on policy update_admin on app.organisations is 'Owners and admins rename.';

create policy read_gate on app.organisations for select to saas_gate using (true);
comment on policy read_gate on app.organisations is
'gate.own_organisations answers which organisations are the caller''s.';

create policy insert_gate on app.organisations for insert to saas_gate with check (true);
comment on policy insert_gate on app.organisations is 'gate.create_organisation.';

create policy update_gate on app.organisations for update to saas_gate
using (organisation_id = (select ctx.tenant_id()))
with check (organisation_id = (select ctx.tenant_id()));
comment on policy update_gate on app.organisations is
'gate.keep_last_owner makes changes of ownership wait for each other.';
