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
begin
    insert into auth.credentials (digest, user_id, expires_at)
    values (p_session, p_user_id, now() + make_interval(secs => p_ttl_seconds));
    -- Materialized: as a subquery it may be run again for each row, and the limit is none.
    with expired as materialized (
        select e.digest
        from auth.credentials as e
        where e.user_id = p_user_id and e.expires_at < now()
        limit 10
        for update skip locked
    )

    -- Under the policies user_id is what an index is entered by.
    delete from auth.credentials as c
    where c.user_id = p_user_id and c.digest in (select e.digest from expired as e);
end
$$;

comment on function gate.open_session(uuid, bytea, integer) is
    'Makes a session live, and clears away expired ones of its user. For gate.login alone.';
