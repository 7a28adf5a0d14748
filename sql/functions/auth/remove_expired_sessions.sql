-- Row by row where the cursor is: equality of digests is not leakproof (ADR 0009), so a join would
-- read all that has expired once a batch.
create or replace function auth.remove_expired_sessions(p_limit bigint)
returns setof uuid
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_expired cursor for
        select c.user_id
        from auth.credentials as c
        where c.expires_at < now()
        order by c.expires_at
        limit p_limit
        for update skip locked;
begin
    for v_row in v_expired loop
        delete from auth.credentials where current of v_expired;
        return next v_row.user_id;
    end loop;
end
$$;

comment on function auth.remove_expired_sessions(bigint) is
    'Removes p_limit sessions that have expired, the oldest first, but none that another transaction holds; gives their users. For saas-api maintain.';
