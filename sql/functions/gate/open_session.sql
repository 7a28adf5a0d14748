create or replace function gate.open_session(
    p_user_id uuid,
    p_session bytea,
    p_ttl_seconds integer
)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    expired cursor for
        select
        from auth.credentials as e
        where e.user_id = p_user_id and e.expires_at < now()
        limit 10
        for update skip locked;
begin
    insert into auth.credentials (digest, user_id, expires_at)
    values (p_session, p_user_id, now() + make_interval(secs => p_ttl_seconds));
    -- By the cursor, and not by a digest: under the policies of DELETE no index is entered by
    -- more than user_id, and all live sessions would be walked for the expired ones.
    for v_expired in expired loop
        delete from auth.credentials where current of expired;
    end loop;
end
$$;

comment on function gate.open_session(uuid, bytea, integer) is
    'Makes a session live, and clears away expired ones of its user. For gate.login alone.';
