-- Who may touch live credentials: the gate.
revoke all on table auth.credentials from public, saas_api, saas_gate, saas_audit, saas_dba;

grant select, delete on table auth.credentials to saas_gate;
grant insert (digest, user_id, organisation_id, api_key_id, expires_at)
on table auth.credentials to saas_gate;
-- For SELECT ... FOR UPDATE of the sessions that are cleared away.
grant update (expires_at) on table auth.credentials to saas_gate;

create policy read_gate on auth.credentials for select to saas_gate using (true);
comment on policy read_gate on auth.credentials is 'gate.enter finds a credential by its digest.';

create policy insert_gate on auth.credentials for insert to saas_gate
with check (user_id = (select ctx.user_id()));
comment on policy insert_gate on auth.credentials is 'gate.login opens a session of the user it has just checked.';

create policy update_gate on auth.credentials for update to saas_gate
using (user_id = (select ctx.user_id()) and expires_at < now())
with check (false);
comment on policy update_gate on auth.credentials is 'Expired sessions may be locked, none changed.';

create policy remove_gate on auth.credentials for delete to saas_gate
using (user_id is not null and user_id = (select ctx.user_id()) and expires_at < now());
comment on policy remove_gate on auth.credentials is 'gate.login clears away the user''s expired sessions.';

create policy insert_gate_api_key on auth.credentials for insert to saas_gate
with check (organisation_id = (select ctx.tenant_for('api_keys.write')));
comment on policy insert_gate_api_key on auth.credentials is
'gate.store_api_key makes a key of the organisation entered live, for owners and admins.';

-- No question of context: a database administrator revokes with a plain UPDATE, too.
create policy remove_gate_api_key on auth.credentials for delete to saas_gate
using (
    api_key_id is not null
    -- A value and not EXISTS, which the planner may answer by reading the keys of every tenant.
    and (
        select k.revoked_at is null
        from app.api_keys as k
        where
            k.organisation_id = credentials.organisation_id
            and k.api_key_id = credentials.api_key_id
    ) is not true
);
comment on policy remove_gate_api_key on auth.credentials is
'gate.revoke_api_key ends a key that is revoked or gone.';

create policy expire_owner on auth.credentials for all to saas_owner
using (expires_at < now())
with check (false);
comment on policy expire_owner on auth.credentials is
'saas-api maintain removes expired sessions.';
