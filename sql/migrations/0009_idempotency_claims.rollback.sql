alter table app.idempotency_keys
    drop constraint idempotency_keys_pkey,
    add constraint idempotency_keys_pkey primary key (
        organisation_id, principal_id, endpoint, idempotency_key
    ),
    drop column claim_id,
    drop constraint idempotency_keys_key_visible_ascii,
    add constraint idempotency_keys_key_visible_ascii check (idempotency_key ~ '^[!-~]{1,255}$');
