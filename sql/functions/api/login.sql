create or replace function api.login(
    p_email text,
    p_output bytea,
    p_session bytea,
    p_ttl_seconds integer,
    p_request_id text
)
returns table (user_id uuid, retry_after integer)
language sql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select l.user_id, l.retry_after
    from gate.login(p_email, p_output, p_session, p_ttl_seconds, p_request_id) as l;
$$;

comment on function api.login(text, bytea, bytea, integer, text) is
    'POST /auth/login, after hashing: opens the session p_session is the SHA-256 of. No user_id: refused, or throttled for retry_after seconds. It does not raise, so that a failure is counted.';

grant execute on function api.login(text, bytea, bytea, integer, text) to saas_api;
