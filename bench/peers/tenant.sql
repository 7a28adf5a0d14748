-- Row-level security as the textbooks have it: the client's role sets app.user_id and app.tenant_id
-- itself, and policies read them. In its quick form: each setting, and whether the user is a
-- member, is read once a statement and not once a row.
grant select on app.memberships, app.projects to bench_tenant;
grant insert, update on app.projects to bench_tenant;

alter table app.memberships enable row level security;
create policy own_memberships on app.memberships for select
using (user_id = (select current_setting('app.user_id')::uuid));

alter table app.projects enable row level security;
create policy read_member on app.projects for select
using (
    organisation_id = (select current_setting('app.tenant_id')::uuid)
    and (
        select exists (
            select from app.memberships as m
            where m.organisation_id = current_setting('app.tenant_id')::uuid
        )
    )
    and deleted_at is null
);
create policy insert_member on app.projects for insert
with check (
    organisation_id = (select current_setting('app.tenant_id')::uuid)
    and (
        select exists (
            select from app.memberships as m
            where
                m.organisation_id = current_setting('app.tenant_id')::uuid
                and m.role in ('owner', 'admin', 'member')
        )
    )
);

create function app.audit_project() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    insert into audit.events
        (organisation_id, action, actor_type, actor_user_id, target_type, target_id, changes)
    values (
        new.organisation_id, 'project.created', 'user', current_setting('app.user_id')::uuid,
        'project', new.project_id,
        jsonb_build_object('name', new.name, 'description', new.description, 'status', new.status)
    );
    return null;
end
$$;
create trigger audit after insert on app.projects
for each row execute function app.audit_project();
