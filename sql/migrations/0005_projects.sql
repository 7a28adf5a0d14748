create table app.projects (
    organisation_id uuid not null,
    project_id uuid not null default uuidv7(),
    name text not null,
    description text,
    status text not null default 'active',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    constraint projects_pkey primary key (organisation_id, project_id),
    constraint projects_organisation_id_fkey foreign key (organisation_id)
        references app.organisations (organisation_id) on delete cascade,
    constraint projects_name_not_blank check (
        char_length(name) between 1 and 200 and name ~ '\S'
    ),
    constraint projects_description_length check (char_length(description) <= 2000),
    constraint projects_status_known check (status in ('active', 'archived'))
);
-- One index for each order a list can be asked for, forwards and backwards.
create index projects_created_at_idx
    on app.projects (organisation_id, created_at, project_id) where deleted_at is null;
create index projects_updated_at_idx
    on app.projects (organisation_id, updated_at, project_id) where deleted_at is null;
create index projects_name_idx
    on app.projects (organisation_id, name collate "C", project_id) where deleted_at is null;
alter table app.projects enable row level security;
alter table app.projects force row level security;

comment on table app.projects is 'The projects of an organisation.';
comment on column app.projects.organisation_id is 'The tenant.';
comment on column app.projects.project_id is 'UUID version 7.';
comment on column app.projects.name is '1 to 200 characters, not unique.';
comment on column app.projects.description is 'At most 2,000 characters. Null: none.';
comment on column app.projects.status is 'active or archived. Text with a check, not an enum: another status is another check, no change of a type.';
comment on column app.projects.created_at is 'UTC.';
comment on column app.projects.updated_at is 'UTC. When a value last changed.';
comment on column app.projects.deleted_at is 'UTC. Null: not deleted. A deleted project is in no answer of the API.';
