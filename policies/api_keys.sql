-- Who may touch API keys.
revoke all on table app.api_keys from public, saas_api, saas_gate, saas_audit, saas_dba;

grant select on table app.api_keys to saas_api;
grant insert (organisation_id, name, prefix, created_by_user_id) on table app.api_keys to saas_api;
grant update (revoked_at) on table app.api_keys to saas_api;

grant select on table app.api_keys to saas_gate;

-- Not granted, on purpose: DELETE, since a revoked key stays in the list.

create policy tenant_isolation on app.api_keys as restrictive for all to public
using (current_user = 'saas_gate' or organisation_id = (select ctx.tenant_id()))
with check (organisation_id = (select ctx.tenant_id()));
comment on policy tenant_isolation on app.api_keys is
'The wall: only rows of the organisation entered. The gate reads all, to find which keys live.';

create policy read_admin on app.api_keys for select to public
using (
    (select current_user = 'saas_api')
    and organisation_id = (select ctx.tenant_for('api_keys.read'))
);
comment on policy read_admin on app.api_keys is 'Owners and admins list keys.';

create policy insert_admin on app.api_keys for insert to public
with check (
    current_user = 'saas_api'
    and created_by_user_id = (select ctx.user_id())
    and organisation_id = (select ctx.tenant_for('api_keys.write'))
);
comment on policy insert_admin on app.api_keys is 'Owners and admins make keys, in their own name.';

create policy revoke_admin on app.api_keys for update to public
using (
    current_user = 'saas_api'
    and revoked_at is null
    and organisation_id = (select ctx.tenant_for('api_keys.write'))
)
with check (current_user = 'saas_api' and revoked_at = now());
comment on policy revoke_admin on app.api_keys is
'Owners and admins revoke keys, now and once; none is ever made to work again.';

create policy read_gate on app.api_keys for select to saas_gate using (true);
comment on policy read_gate on app.api_keys is 'gate.store_api_key, and which credential may go.';
