-- Run by saas-api migrate and saas-api maintain as saas_owner.
create or replace function audit.prepare_partitions(p_months integer)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_month timestamp;
begin
    -- One run at a time; who reads or writes events is not kept waiting.
    lock table only audit.events in share update exclusive mode;
    perform audit.relieve_default();
    for v_month in
        select m
        from generate_series(
            date_trunc('month', now() at time zone 'UTC'),
            date_trunc('month', now() at time zone 'UTC') + make_interval(months => p_months),
            interval '1 month'
        ) as m
        where not exists (
            select from audit.partitions() as p
            where p.starts_at <= m at time zone 'UTC' and m at time zone 'UTC' < p.ends_at
        )
    loop
        perform audit.add_partition(
            to_char(v_month, '"events_"YYYY_MM'),
            format(
                'for values from (%L) to (%L)',
                v_month at time zone 'UTC', (v_month + interval '1 month') at time zone 'UTC'
            ),
            to_char(v_month, '"Audit events of" YYYY-MM", UTC."')
        );
    end loop;
end
$$;

comment on function audit.prepare_partitions(integer) is
    'Makes the partitions of audit.events for this month and the next p_months, where they are missing.';

grant execute on function audit.prepare_partitions(integer) to saas_owner;
