-- Row by row, as auth.remove_expired_sessions does.
create or replace function auth.remove_past_failures(p_limit bigint)
returns setof timestamptz
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_past cursor for
        select s.failed_at
        from auth.login_slots as s
        where s.failed_at > '-infinity' and s.failed_at < now() - interval '1 day'
        order by s.failed_at
        limit p_limit
        for update skip locked;
begin
    for v_row in v_past loop
        delete from auth.login_slots where current of v_past;
        return next v_row.failed_at;
    end loop;
end
$$;

comment on function auth.remove_past_failures(bigint) is
    'Removes p_limit login failures older than a day, the oldest first, but none that another transaction holds; gives their times. For saas-api maintain.';
