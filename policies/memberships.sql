-- Who may touch memberships.
revoke all on table app.memberships from public, saas_api, saas_gate, saas_audit, saas_dba;

grant select on table app.memberships to saas_api;
grant insert (organisation_id, user_id, role) on table app.memberships to saas_api;
grant update (role) on table app.memberships to saas_api;

grant select, delete on table app.memberships to saas_gate;
grant insert (organisation_id, user_id, role) on table app.memberships to saas_gate;

-- Not granted, on purpose:
--   DELETE to saas_api: it would allow LOCK TABLE, which stops every tenant; gate.remove_member
--   deletes, under the policy remove_gate below.

create policy tenant_isolation on app.memberships as restrictive for all to public
using (current_user = 'saas_gate' or organisation_id = (select ctx.tenant_id()))
with check (organisation_id = (select ctx.tenant_id()));
comment on policy tenant_isolation on app.memberships is
'The wall: only rows of the organisation entered. The gate reads all, to find who the caller is; it writes none but there.';

create policy read_admin on app.memberships for select to public
using (
    (select current_user = 'saas_api')
    and organisation_id = (select ctx.tenant_for('members.read'))
);
comment on policy read_admin on app.memberships is 'Owners and admins list members.';

create policy insert_admin on app.memberships for insert to public
with check (
    current_user = 'saas_api'
    and role <> 'owner'
    and organisation_id = (select ctx.tenant_for('members.write'))
);
comment on policy insert_admin on app.memberships is 'Owners and admins add members, but no owner.';

create policy insert_owner on app.memberships for insert to public
with check (
    current_user = 'saas_api'
    and organisation_id = (select ctx.tenant_for('owners.write'))
);
comment on policy insert_owner on app.memberships is 'Owners add owners.';

create policy update_admin on app.memberships for update to public
using (
    current_user = 'saas_api'
    and role <> 'owner'
    and organisation_id = (select ctx.tenant_for('members.write'))
)
with check (
    current_user = 'saas_api'
    and role <> 'owner'
    and organisation_id = (select ctx.tenant_for('members.write'))
);
comment on policy update_admin on app.memberships is
'Owners and admins change roles, but neither an owner''s nor into owner.';

create policy update_owner on app.memberships for update to public
using (current_user = 'saas_api' and organisation_id = (select ctx.tenant_for('owners.write')))
with check (
    current_user = 'saas_api'
    and organisation_id = (select ctx.tenant_for('owners.write'))
);
comment on policy update_owner on app.memberships is 'Owners change owners.';

create policy read_gate on app.memberships for select to saas_gate using (true);
comment on policy read_gate on app.memberships is 'gate.enter looks up the caller''s role.';

create policy insert_gate on app.memberships for insert to saas_gate
with check (role = 'owner' and user_id = (select ctx.user_id()));
comment on policy insert_gate on app.memberships is
'gate.create_organisation makes its caller the first owner.';

create policy remove_gate on app.memberships for delete to saas_gate
using (
    organisation_id = (select ctx.tenant_id())
    and (
        user_id = (select ctx.user_id())
        or (role <> 'owner' and organisation_id = (select ctx.tenant_for('members.write')))
        or organisation_id = (select ctx.tenant_for('owners.write'))
    )
);
comment on policy remove_gate on app.memberships is
'Members remove themselves, owners and admins remove others, owners remove owners.';
