-- A definer, because it reads passwords, opens a session, and seals a context.
create or replace function gate.login(
    p_email text,
    p_output bytea,
    p_session bytea,
    p_ttl_seconds integer,
    p_request_id text
)
returns table (user_id uuid, retry_after integer)
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_slot smallint := gate.take_login_slot(p_email);
    v_user_id uuid;
    v_right boolean;
begin
    if v_slot is null then
        retry_after := gate.login_retry_after(p_email);
        return next;
        return;
    end if;

    select p.user_id, p.digest = sha256(p_output)
    into v_user_id, v_right
    from auth.passwords as p
    where p.email_digest = gate.email_digest(p_email);

    if v_right then
        user_id := v_user_id;
        perform gate.seal(k.inner_key, k.outer_key, v_user_id, null, null, null, p_request_id)
        from auth.seal_key as k;
        perform gate.open_session(v_user_id, p_session, p_ttl_seconds);
        perform audit.record_user_event('user.logged_in', v_user_id, p_request_id);
    else
        update auth.login_slots as s
        set failed_at = now()
        where s.email_digest = gate.email_digest(p_email) and s.slot = v_slot;
        perform audit.record_user_event('user.login_failed', v_user_id, p_request_id);
    end if;
    return next;
end
$$;

comment on function gate.login(text, bytea, bytea, integer, text) is
    'Compares a password and opens the session p_session is the digest of. No user_id: refused; retry_after in seconds: throttled.';

grant execute on function gate.login(text, bytea, bytea, integer, text) to saas_api;
