create table app.api_keys (
    organisation_id uuid not null,
    api_key_id uuid not null default uuidv7(),
    name text not null,
    prefix text not null,
    created_at timestamptz not null default now(),
    created_by_user_id uuid not null,
    revoked_at timestamptz,
    constraint api_keys_pkey primary key (organisation_id, api_key_id),
    constraint api_keys_organisation_id_fkey foreign key (organisation_id)
        references app.organisations (organisation_id) on delete cascade,
    constraint api_keys_created_by_user_id_fkey foreign key (created_by_user_id)
        references app.users (user_id),
    constraint api_keys_name_not_blank check (
        char_length(name) between 1 and 200 and name ~ '\S'
    ),
    constraint api_keys_prefix_valid check (prefix ~ '^saas_[0-9A-Za-z]{8}$')
);
alter table app.api_keys enable row level security;
alter table app.api_keys force row level security;

comment on table app.api_keys is 'What is known of an API key; the key itself is only a digest in auth.credentials.';
comment on column app.api_keys.organisation_id is 'The tenant.';
comment on column app.api_keys.api_key_id is 'UUID version 7.';
comment on column app.api_keys.name is '1 to 200 characters, not unique.';
comment on column app.api_keys.prefix is 'How the key begins, to recognise it by. Not secret, and no part of its 256 random bits.';
comment on column app.api_keys.created_at is 'UTC.';
comment on column app.api_keys.created_by_user_id is 'Who made it.';
comment on column app.api_keys.revoked_at is 'UTC. Null: works.';

-- A row of its own: whoever holds the lock on it, as each use does, keeps nobody from revoking.
create table app.api_key_uses (
    organisation_id uuid not null,
    api_key_id uuid not null,
    last_used_at timestamptz,
    constraint api_key_uses_pkey primary key (organisation_id, api_key_id),
    constraint api_key_uses_api_key_id_fkey foreign key (organisation_id, api_key_id)
        references app.api_keys (organisation_id, api_key_id) on delete cascade
);
alter table app.api_key_uses enable row level security;
alter table app.api_key_uses force row level security;

comment on table app.api_key_uses is 'When each API key was last used.';
comment on column app.api_key_uses.organisation_id is 'The tenant.';
comment on column app.api_key_uses.api_key_id is 'Which key.';
comment on column app.api_key_uses.last_used_at is 'UTC, to the minute. Null: never used.';

-- squawk-ignore require-concurrent-index-creation -- there is no API key in it yet
create unique index credentials_api_key_id_key on auth.credentials (organisation_id, api_key_id)
where api_key_id is not null;
