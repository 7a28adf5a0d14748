create table app.organisations (
    organisation_id uuid not null default uuidv7(),
    name text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint organisations_pkey primary key (organisation_id),
    constraint organisations_name_not_blank check (
        char_length(name) between 1 and 200 and name ~ '\S'
    )
);
alter table app.organisations enable row level security;
alter table app.organisations force row level security;

comment on table app.organisations is 'The tenants.';
comment on column app.organisations.organisation_id is 'UUID version 7; leads every key of every tenant table.';
comment on column app.organisations.name is '1 to 200 characters, not unique.';
comment on column app.organisations.created_at is 'UTC.';
comment on column app.organisations.updated_at is 'UTC. When a value last changed.';

create table app.memberships (
    organisation_id uuid not null,
    user_id uuid not null,
    role text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint memberships_pkey primary key (organisation_id, user_id),
    constraint memberships_organisation_id_fkey foreign key (organisation_id)
        references app.organisations (organisation_id) on delete cascade,
    constraint memberships_user_id_fkey foreign key (user_id)
        references app.users (user_id) on delete cascade,
    constraint memberships_role_known check (role in ('owner', 'admin', 'member', 'viewer'))
);
-- "Which organisations are mine?" is asked of every tenant at once; no constraint, so no oracle.
create index memberships_user_id_idx on app.memberships (user_id, organisation_id);
alter table app.memberships enable row level security;
alter table app.memberships force row level security;

comment on table app.memberships is 'Who belongs to which organisation, as what.';
comment on column app.memberships.organisation_id is 'The tenant.';
comment on column app.memberships.user_id is 'The member.';
comment on column app.memberships.role is 'owner, admin, member or viewer: what each may do is ctx.permission.';
comment on column app.memberships.created_at is 'UTC.';
comment on column app.memberships.updated_at is 'UTC. When the role last changed.';
