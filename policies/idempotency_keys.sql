-- Who may touch idempotency keys: their own principal. Expired ones: saas-api maintain.
revoke all on table app.idempotency_keys from public, saas_api, saas_gate, saas_audit, saas_dba;

grant select on table app.idempotency_keys to saas_api;
grant insert (organisation_id, principal_id, endpoint, idempotency_key, request)
on table app.idempotency_keys to saas_api;
grant update (request, response) on table app.idempotency_keys to saas_api;

-- The nil UUID stands for "in no organisation": POST /orgs.
create policy tenant_isolation on app.idempotency_keys as restrictive for all to public
using (
    case current_user
        when 'saas_owner' then created_at < now() - interval '24 hours'
        else
            organisation_id
            = coalesce((select ctx.tenant_id()), '00000000-0000-0000-0000-000000000000')
    end
)
with check (
    organisation_id = coalesce((select ctx.tenant_id()), '00000000-0000-0000-0000-000000000000')
);
comment on policy tenant_isolation on app.idempotency_keys is
'The wall: only keys of the organisation entered, or of none. Its owner reaches the expired ones, to clear them away.';

create policy own_principal on app.idempotency_keys for all to public
using (
    current_user = 'saas_api'
    and principal_id = coalesce((select ctx.user_id()), (select ctx.api_key_id()))
)
with check (
    current_user = 'saas_api'
    and principal_id = coalesce((select ctx.user_id()), (select ctx.api_key_id()))
);
comment on policy own_principal on app.idempotency_keys is
'A user or an API key claims and repeats its own requests.';

create policy expire_owner on app.idempotency_keys for all to saas_owner
using (created_at < now() - interval '24 hours')
with check (false);
comment on policy expire_owner on app.idempotency_keys is 'saas-api maintain removes expired keys.';
