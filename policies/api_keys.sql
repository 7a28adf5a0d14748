-- Who may touch API keys.
revoke all on table app.api_keys from public, saas_api, saas_gate, saas_audit, saas_dba;

grant select on table app.api_keys to saas_api;
grant insert (organisation_id, name, prefix, created_by_user_id) on table app.api_keys to saas_api;
grant update (revoked_at) on table app.api_keys to saas_api;

grant select on table app.api_keys to saas_gate;
grant update (last_used_at) on table app.api_keys to saas_gate;

-- Not granted, on purpose: DELETE, since a revoked key stays in the list.

create policy tenant_isolation on app.api_keys as restrictive for all to public
using (organisation_id = (select ctx.tenant_id()))
with check (organisation_id = (select ctx.tenant_id()));
comment on policy tenant_isolation on app.api_keys is
'The wall: whatever else is allowed, only rows of the organisation entered.';

create policy read_admin on app.api_keys for select to saas_api
using ((select ctx.permits('api_keys.read')));
comment on policy read_admin on app.api_keys is 'Owners and admins list keys.';

create policy insert_admin on app.api_keys for insert to saas_api
with check (
    created_by_user_id = (select ctx.user_id()) and (select ctx.permits('api_keys.write'))
);
comment on policy insert_admin on app.api_keys is 'Owners and admins make keys, in their own name.';

create policy revoke_admin on app.api_keys for update to saas_api
using ((select ctx.permits('api_keys.write')))
with check (revoked_at is not null);
comment on policy revoke_admin on app.api_keys is 'Owners and admins revoke keys; none is ever made to work again.';

create policy read_gate on app.api_keys for select to saas_gate using (true);
comment on policy read_gate on app.api_keys is 'gate.note_api_key_use.';

create policy update_gate on app.api_keys for update to saas_gate
using (api_key_id = (select ctx.api_key_id()))
with check (api_key_id = (select ctx.api_key_id()));
comment on policy update_gate on app.api_keys is 'gate.note_api_key_use: a key notes its own use.';
