create or replace function audit.drop_partitions(p_keep_months integer)
returns setof text
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_name text;
begin
    for v_name in
        select c.relname
        from pg_inherits as i
        join pg_class as c on c.oid = i.inhrelid
        where
            i.inhparent = 'audit.events'::regclass
            and c.relname ~ '^events_\d{4}_\d{2}$'
            and to_date(right(c.relname, 7), 'YYYY_MM')
            < date_trunc('month', now() at time zone 'UTC') - make_interval(months => p_keep_months)
        order by c.relname
    loop
        execute format('drop table audit.%I', v_name);
        return next v_name;
    end loop;
end
$$;

comment on function audit.drop_partitions(integer) is
    'Drops the months of audit.events older than p_keep_months whole months; gives their names.';

grant execute on function audit.drop_partitions(integer) to saas_owner;
