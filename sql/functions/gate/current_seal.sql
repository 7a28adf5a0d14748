-- HMAC-SHA-256 (RFC 2104) over a context, this backend and this transaction.
-- Each part is quoted (%L), so that no two contexts read the same: anyone may put any text,
-- a separator too, into any of them.
-- The body is parsed here, and nothing is set, so that the planner puts it into the query that
-- reads the key, where it costs no call.
create or replace function gate.current_seal(
    p_inner_key bytea,
    p_outer_key bytea,
    p_user_id text,
    p_api_key_id text,
    p_tenant_id text,
    p_role text,
    p_request_id text
)
returns text
language sql
stable
parallel restricted
security invoker
return encode(
    sha256(
        p_outer_key
        || sha256(
            p_inner_key
            || convert_to(
                format(
                    '%L|%L|%L|%L|%s|%s|%L',
                    p_user_id,
                    p_api_key_id,
                    p_tenant_id,
                    p_role,
                    pg_backend_pid(),
                    extract(epoch from current_timestamp),
                    p_request_id
                ),
                'UTF8'
            )
        )
    ),
    'hex'
);

comment on function gate.current_seal(bytea, bytea, text, text, text, text, text) is
    'What app.seal must be for a context to be true, here and now. For gate.seal and gate.is_sealed.';
