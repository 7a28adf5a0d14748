create table auth.credentials (
    digest bytea not null,
    user_id uuid,
    organisation_id uuid,
    api_key_id uuid,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    constraint credentials_pkey primary key (digest),
    constraint credentials_digest_is_sha256 check (octet_length(digest) = 32),
    constraint credentials_user_id_fkey foreign key (user_id)
        references app.users (user_id) on delete cascade,
    constraint credentials_session_or_api_key check (
        case
            when user_id is not null
                then organisation_id is null and api_key_id is null and expires_at is not null
            else organisation_id is not null and api_key_id is not null
        end
    )
);
create index credentials_user_id_idx on auth.credentials (user_id, expires_at);
alter table auth.credentials enable row level security;
alter table auth.credentials force row level security;

comment on table auth.credentials is 'What is live now: a row is a session or an API key. To revoke a credential is to delete its row.';
comment on column auth.credentials.digest is 'Secret. SHA-256 of the secret the client carries.';
comment on column auth.credentials.user_id is 'Whose session. Null: an API key.';
comment on column auth.credentials.organisation_id is 'Where the API key works. Null: a session.';
comment on column auth.credentials.api_key_id is 'Which API key. Null: a session.';
comment on column auth.credentials.created_at is 'UTC.';
comment on column auth.credentials.expires_at is 'UTC. Null: does not expire.';

create table auth.login_slots (
    email_digest bytea not null,
    -- squawk-ignore prefer-bigint-over-smallint -- 1 to 10, for ever
    slot smallint not null,
    failed_at timestamptz not null default '-infinity',
    constraint login_slots_pkey primary key (email_digest, slot),
    constraint login_slots_ten check (slot between 1 and 10)
);
alter table auth.login_slots enable row level security;
alter table auth.login_slots force row level security;

comment on table auth.login_slots is
    'Login throttle: an attempt holds one of its email''s ten slots, a failure keeps it for 15 minutes. No free slot: refused.';
comment on column auth.login_slots.email_digest is 'SHA-256 of the case-folded email, known or not.';
comment on column auth.login_slots.slot is '1 to 10.';
comment on column auth.login_slots.failed_at is 'UTC. -infinity: never used by a failure.';

create table auth.seal_key (
    inner_key bytea not null,
    outer_key bytea not null,
    constraint seal_key_block_length check (
        octet_length(inner_key) = 64 and octet_length(outer_key) = 64
    )
);
create unique index seal_key_one on auth.seal_key ((true));

comment on table auth.seal_key is 'The key of the seal, made when the database is, padded for HMAC-SHA-256 (RFC 2104). One row.';
comment on column auth.seal_key.inner_key is 'Secret. Key xor 0x36, 64 bytes.';
comment on column auth.seal_key.outer_key is 'Secret. Key xor 0x5c, 64 bytes.';

do $$
declare
    -- 256 bits drawn from three times 122 random ones.
    v_key bytea := sha256(
        uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
    ) || decode(repeat('00', 32), 'hex');
    v_inner bytea := v_key;
    v_outer bytea := v_key;
begin
    for v_byte in 0..63 loop
        v_inner := set_byte(v_inner, v_byte, get_byte(v_key, v_byte) # 54);
        v_outer := set_byte(v_outer, v_byte, get_byte(v_key, v_byte) # 92);
    end loop;
    insert into auth.seal_key (inner_key, outer_key) values (v_inner, v_outer);
end
$$;

alter table auth.seal_key enable row level security;
alter table auth.seal_key force row level security;
