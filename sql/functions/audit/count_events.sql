-- A plain setting, not a sealed one: it feeds a metric and decides nothing.
create or replace function audit.count_events(p_events bigint)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_before text := current_setting('app.audit_events', true);
begin
    perform set_config(
        'app.audit_events',
        -- Anyone may have written anything there.
        (case when v_before ~ '^[0-9]{1,15}$' then v_before::bigint else 0 end + p_events)::text,
        true
    );
end
$$;

comment on function audit.count_events(bigint) is
    'Adds to app.audit_events, where the API reads how many events its statement has written.';
