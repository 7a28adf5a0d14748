-- Who may touch when API keys were used: the gate writes, who lists keys reads.
revoke all on table app.api_key_uses from public, saas_api, saas_gate, saas_audit, saas_dba;

grant select on table app.api_key_uses to saas_api;

grant select on table app.api_key_uses to saas_gate;
grant insert (organisation_id, api_key_id) on table app.api_key_uses to saas_gate;
grant update (last_used_at) on table app.api_key_uses to saas_gate;

create policy tenant_isolation on app.api_key_uses as restrictive for all to public
using (organisation_id = (select ctx.tenant_id()))
with check (organisation_id = (select ctx.tenant_id()));
comment on policy tenant_isolation on app.api_key_uses is
'The wall: whatever else is allowed, only rows of the organisation entered.';

create policy read_admin on app.api_key_uses for select to public
using (
    (select current_user = 'saas_api')
    and organisation_id = (select ctx.tenant_for('api_keys.read'))
);
comment on policy read_admin on app.api_key_uses is 'Owners and admins list keys.';

create policy read_gate on app.api_key_uses for select to saas_gate using (true);
comment on policy read_gate on app.api_key_uses is 'gate.note_api_key_use.';

create policy insert_gate on app.api_key_uses for insert to saas_gate
with check (organisation_id = (select ctx.tenant_for('api_keys.write')));
comment on policy insert_gate on app.api_key_uses is 'gate.store_api_key, for owners and admins.';

create policy update_gate on app.api_key_uses for update to saas_gate
using (api_key_id = (select ctx.api_key_id()))
with check (api_key_id = (select ctx.api_key_id()));
comment on policy update_gate on app.api_key_uses is
'gate.note_api_key_use: a key notes its own use.';
