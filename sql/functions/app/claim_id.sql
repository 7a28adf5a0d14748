-- As the column of app.idempotency_keys has it (sql/migrations/0009_idempotency_claims.sql).
create or replace function app.claim_id(p_endpoint text, p_idempotency_key text)
returns uuid
language sql
immutable
parallel safe
security invoker
return encode(
    substr(
        sha256(decode(replace(p_endpoint || ' ' || p_idempotency_key, '\', '\\'), 'escape')), 1, 16
    ),
    'hex'
)::uuid;

comment on function app.claim_id(text, text) is
    'What the row of an idempotency key is found by.';

grant execute on function app.claim_id(text, text) to saas_api;
