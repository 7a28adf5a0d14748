-- Who may touch projects.
revoke all on table app.projects from public, saas_api, saas_gate, saas_audit, saas_dba;

grant select on table app.projects to saas_api;
grant insert (organisation_id, name, description, status) on table app.projects to saas_api;
grant update (name, description, status, deleted_at) on table app.projects to saas_api;

-- Not granted, on purpose:
--   DELETE: projects are deleted softly;
--   INSERT and UPDATE of the whole table: they would allow LOCK TABLE, which stops every tenant;
--   project_id, created_at, updated_at: the database sets them.

create policy tenant_isolation on app.projects as restrictive for all to public
using (organisation_id = (select ctx.tenant_for('projects.read')))
with check (organisation_id = (select ctx.tenant_for('projects.write')));
comment on policy tenant_isolation on app.projects is
'The wall: whatever else is allowed, only rows of the organisation entered, which every role, and an API key, reads, and members and above, and API keys, write.';

-- The wall has asked for the permission: to ask again would cost a second check of the seal.
create policy read_viewer on app.projects for select to public
using ((select current_user = 'saas_api'));
comment on policy read_viewer on app.projects is 'Who may read, the wall says.';

create policy insert_member on app.projects for insert to public
with check (current_user = 'saas_api');
comment on policy insert_member on app.projects is 'Who may create, the wall says.';

create policy update_member on app.projects for update to public
using (
    current_user = 'saas_api'
    and organisation_id = (select ctx.tenant_for('projects.write'))
)
with check (current_user = 'saas_api');
comment on policy update_member on app.projects is
'Members and above, and API keys, change and delete (softly).';

-- For api.listed_projects alone, which reads as its owner (ADR 0019). Its name puts it before the
-- wall, since only the first restrictive policy enters an index by more than an id. So it asks for
-- the tenant itself; by = any, since PostgreSQL puts an equality behind the bounds, and would ask
-- them of other tenants' rows. No name comes after 200 of the last character.
create policy enter_list on app.projects as restrictive for select to saas_owner
using (
    organisation_id = any(array[(select ctx.tenant_for('projects.read'))])
    and created_at >= (select ctx.page_time('app.created_at_from', '-infinity'))
    and created_at <= (select ctx.page_time('app.created_at_to', 'infinity'))
    and updated_at >= (select ctx.page_time('app.updated_at_from', '-infinity'))
    and updated_at <= (select ctx.page_time('app.updated_at_to', 'infinity'))
    and name collate "C" >= (select ctx.page_name('app.name_from', ''))
    and name collate "C" <= (select ctx.page_name('app.name_to', repeat(chr(1114111), 200)))
);
comment on policy enter_list on app.projects is
'A list enters the index of its order at the bounds it has set for its page (ADR 0019).';
