-- Run by saas-api migrate and saas-api maintain as saas_owner. A partition is born locked, too.
create or replace function audit.prepare_partitions(p_months integer)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_month date;
    v_name text;
begin
    for v_month in
        select m::date
        from generate_series(
            date_trunc('month', now() at time zone 'UTC'),
            date_trunc('month', now() at time zone 'UTC') + make_interval(months => p_months),
            interval '1 month'
        ) as m
    loop
        v_name := 'events_' || to_char(v_month, 'YYYY_MM');
        continue when to_regclass('audit.' || v_name) is not null;
        execute format(
            'create table audit.%1$I partition of audit.events for values from (%2$L) to (%3$L);
            alter table audit.%1$I enable row level security;
            alter table audit.%1$I force row level security;
            comment on table audit.%1$I is %4$L;',
            v_name,
            v_month || ' 00:00:00+00',
            (v_month + interval '1 month')::date || ' 00:00:00+00',
            'Audit events of ' || to_char(v_month, 'YYYY-MM') || ', UTC.'
        );
        execute format(
            'create trigger _100_append_only before truncate on audit.%I
            for each statement execute function audit.refuse_change()',
            v_name
        );
    end loop;
end
$$;

comment on function audit.prepare_partitions(integer) is
    'Makes the partitions of audit.events for this month and the next p_months, where they are missing.';

grant execute on function audit.prepare_partitions(integer) to saas_owner;
