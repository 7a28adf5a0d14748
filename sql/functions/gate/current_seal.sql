-- HMAC-SHA-256 (RFC 2104) over the settings as they stand, this backend and this transaction.
-- Each setting is quoted (%L), so that no two contexts read the same: anyone may put any text,
-- a separator too, into any of them.
-- The key is an argument and the body is parsed here, so that the planner puts it into the query
-- that reads the key, where it costs no call.
create or replace function gate.current_seal(p_inner_key bytea, p_outer_key bytea)
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
                    current_setting('app.user_id', true),
                    current_setting('app.api_key_id', true),
                    current_setting('app.tenant_id', true),
                    current_setting('app.role', true),
                    pg_backend_pid(),
                    extract(epoch from now()),
                    current_setting('app.request_id', true)
                ),
                'UTF8'
            )
        )
    ),
    'hex'
);

comment on function gate.current_seal(bytea, bytea) is
    'What app.seal must be for the other app.* settings to be true, here and now. For those that can read the key.';
