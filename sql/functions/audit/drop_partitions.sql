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
        select p.name
        from audit.partitions() as p
        where
            p.ends_at at time zone 'UTC'
            <= date_trunc('month', now() at time zone 'UTC') - make_interval(months => p_keep_months)
    loop
        execute format('drop table audit.%I', v_name);
        return next v_name;
    end loop;
end
$$;

comment on function audit.drop_partitions(integer) is
    'Drops the partitions of audit.events that end p_keep_months or more whole months before this one; gives their names.';

grant execute on function audit.drop_partitions(integer) to saas_owner;
