-- The default partition fills when nobody has made partitions in time, and then no partition can be
-- made for the months it holds. So it becomes the partition of those months, and an empty one takes
-- its place. This stops who writes events for as long as it takes to read it once.
create or replace function audit.relieve_default()
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_from timestamp;
    v_to timestamp;
    v_name text;
begin
    if pg_relation_size('audit.events_default') = 0 then
        return;
    end if;
    alter table audit.events detach partition audit.events_default;
    -- Its owner is forced under the policies of a table that has none.
    alter table audit.events_default no force row level security;
    execute
        'select
            date_trunc(''month'', min(occurred_at) at time zone ''UTC''),
            date_trunc(''month'', max(occurred_at) at time zone ''UTC'') + interval ''1 month''
        from audit.events_default'
    into v_from, v_to;
    alter table audit.events_default force row level security;
    if v_from is null then
        drop table audit.events_default;
    else
        v_name := to_char(v_from, '"events_"YYYY_MM');
        if v_to > v_from + interval '1 month' then
            v_name := v_name || to_char(v_to - interval '1 month', '"_to_"YYYY_MM');
        end if;
        execute format('alter table audit.events_default rename to %I', v_name);
        execute format(
            'alter table audit.events attach partition audit.%I for values from (%L) to (%L)',
            v_name, v_from at time zone 'UTC', v_to at time zone 'UTC'
        );
        execute format(
            'comment on table audit.%I is %L',
            v_name, 'Audit events that came before their partition was made.'
        );
    end if;
    perform audit.add_partition(
        'events_default',
        'default',
        'For a month that has no partition yet; empty as long as saas-api maintain runs.'
    );
end
$$;

comment on function audit.relieve_default() is
    'Gives the events in the default partition, if there are any, a partition of their own. For audit.prepare_partitions.';

grant execute on function audit.relieve_default() to saas_owner;
