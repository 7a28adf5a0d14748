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
begin
    if v_slot is null then
        retry_after := gate.login_retry_after(p_email);
        return next;
        return;
    end if;

    select u.user_id
    into user_id
    from app.users as u
    join auth.passwords as p on p.user_id = u.user_id
    where
        casefold(u.email collate pg_catalog.pg_unicode_fast)
        = casefold(p_email collate pg_catalog.pg_unicode_fast)
        and p.digest = sha256(p_output);

    if found then
        perform gate.seal(user_id, null, null, null, p_request_id);
        insert into auth.credentials (digest, user_id, expires_at)
        values (p_session, login.user_id, now() + make_interval(secs => p_ttl_seconds));
        -- Materialized: as a subquery it may be run again for each row, and the limit is none.
        with expired as materialized (
            select e.digest
            from auth.credentials as e
            where e.user_id = login.user_id and e.expires_at < now()
            limit 10
            for update skip locked
        )

        delete from auth.credentials as c
        where c.digest in (select e.digest from expired as e);
    else
        update auth.login_slots as s
        set failed_at = now()
        where s.email_digest = gate.email_digest(p_email) and s.slot = v_slot;
    end if;
    return next;
end
$$;

comment on function gate.login(text, bytea, bytea, integer, text) is
    'Compares a password and opens the session p_session is the digest of. No user_id: refused; retry_after in seconds: throttled.';

grant execute on function gate.login(text, bytea, bytea, integer, text) to saas_api;
