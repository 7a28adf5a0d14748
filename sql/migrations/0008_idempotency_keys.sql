create table app.idempotency_keys (
    organisation_id uuid not null,
    principal_id uuid not null,
    endpoint text not null,
    idempotency_key text not null,
    request jsonb not null,
    response json,
    created_at timestamptz not null default now(),
    constraint idempotency_keys_pkey primary key (
        organisation_id, principal_id, endpoint, idempotency_key
    ),
    constraint idempotency_keys_key_visible_ascii check (idempotency_key ~ '^[!-~]{1,255}$')
);
create index idempotency_keys_created_at_idx on app.idempotency_keys (created_at);
alter table app.idempotency_keys enable row level security;
alter table app.idempotency_keys force row level security;

comment on table app.idempotency_keys is 'Requests that may be repeated for 24 hours, with the answer they got.';
comment on column app.idempotency_keys.organisation_id is 'The tenant; the nil UUID for POST /orgs, which is in none.';
comment on column app.idempotency_keys.principal_id is 'The user or the API key.';
comment on column app.idempotency_keys.endpoint is 'Method and path template.';
comment on column app.idempotency_keys.idempotency_key is 'As sent: 1 to 255 visible ASCII characters.';
comment on column app.idempotency_keys.request is 'The body as sent, to tell a repetition from another request.';
comment on column app.idempotency_keys.response is 'The body answered, without any secret. Null: the work is under way, in the transaction that claimed the key.';
comment on column app.idempotency_keys.created_at is 'UTC. When it was claimed.';
