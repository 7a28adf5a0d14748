create table app.users (
    user_id uuid not null default uuidv7(),
    email text not null,
    display_name text,
    created_at timestamptz not null default now(),
    constraint users_pkey primary key (user_id),
    constraint users_email_valid check (
        char_length(email) <= 254 and email ~ '^[^@[:space:]]+@[^@[:space:]]+$'
    ),
    constraint users_display_name_not_blank check (
        char_length(display_name) between 1 and 200 and display_name ~ '\S'
    )
);
-- Not lower(): case folding also knows that 'Straße' and 'STRASSE' are one name.
create unique index users_email_key
    on app.users (casefold(email collate pg_catalog.pg_unicode_fast));
alter table app.users enable row level security;
alter table app.users force row level security;

comment on table app.users is 'People with an account. One person may be a member of many organisations, so this is no tenant table.';
comment on column app.users.user_id is 'UUID version 7.';
comment on column app.users.email is 'As given at registration; unique without regard to case.';
comment on column app.users.display_name is 'Null: none given.';
comment on column app.users.created_at is 'UTC.';

create table auth.passwords (
    user_id uuid not null,
    email_digest bytea not null,
    salt bytea not null,
    parameters text not null,
    digest bytea not null,
    changed_at timestamptz not null default now(),
    constraint passwords_pkey primary key (user_id),
    constraint passwords_email_digest_key unique (email_digest),
    constraint passwords_user_id_fkey foreign key (user_id)
        references app.users (user_id) on delete cascade,
    constraint passwords_salt_length check (octet_length(salt) between 16 and 64),
    -- A login is as dear as its parameters say, for the whole API: at most sixteen times 64 MiB.
    constraint passwords_parameters_bounded check (
        parameters ~ '^m=[1-9]\d{0,6},t=[1-9]\d?,p=[1-9]\d?$'
        and substring(parameters, 'm=(\d+)')::integer
        * substring(parameters, 't=(\d+)')::integer <= 1048576
        and substring(parameters, 'm=(\d+)')::integer
        >= 8 * substring(parameters, 'p=(\d+)')::integer
        and substring(parameters, 'p=(\d+)')::integer <= 16
    ),
    constraint passwords_digest_is_sha256 check (octet_length(digest) = 32)
);
alter table auth.passwords enable row level security;
alter table auth.passwords force row level security;

comment on table auth.passwords is 'What a login is compared with. Secret: only saas_gate reads it, and never hands a digest out.';
comment on column auth.passwords.user_id is 'Whose password.';
comment on column auth.passwords.email_digest is
    'SHA-256 of the case-folded email: a login finds its row by it, in a table that no other role reads.';
comment on column auth.passwords.salt is 'Secret. Salt of Argon2id, random.';
comment on column auth.passwords.parameters is 'Cost of Argon2id: m in KiB, t in passes, p in lanes.';
comment on column auth.passwords.digest is 'Secret. SHA-256 of the output of Argon2id.';
comment on column auth.passwords.changed_at is 'UTC.';
