-- Who may touch gizmos.
revoke all on table app.gizmos
from public, saas_api, saas_gate, saas_audit, saas_dba;

grant select on table app.gizmos to saas_api;
grant insert (organisation_id, name) on table app.gizmos to saas_api;
grant update (name, deleted_at) on table app.gizmos to saas_api;

-- Not granted, on purpose:
--   DELETE: gizmos are deleted softly;
--   INSERT and UPDATE of the whole table: they would allow LOCK TABLE, which stops every tenant;
--   gizmo_id, created_at, updated_at: the database sets them.

create policy tenant_isolation on app.gizmos as restrictive for all to public
using (organisation_id = (select ctx.tenant_for('gizmos.read')))
with check (organisation_id = (select ctx.tenant_for('gizmos.write')));
comment on policy tenant_isolation on app.gizmos is
'The wall: whatever else is allowed, only rows of the organisation entered, which every role reads, and members and above write.';

-- The wall has asked for the permission: to ask again would cost a second check of the seal.
create policy read_viewer on app.gizmos for select to public
using ((select current_user = 'saas_api'));
comment on policy read_viewer on app.gizmos is 'Who may read, the wall says.';

create policy insert_member on app.gizmos for insert to public
with check (current_user = 'saas_api');
comment on policy insert_member on app.gizmos is 'Who may create, the wall says.';

create policy update_member on app.gizmos for update to public
using (
    current_user = 'saas_api'
    and organisation_id = (select ctx.tenant_for('gizmos.write'))
)
with check (current_user = 'saas_api');
comment on policy update_member on app.gizmos is 'Members and above change and delete (softly).';
