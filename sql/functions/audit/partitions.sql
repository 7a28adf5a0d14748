create or replace function audit.partitions()
returns table (name text, starts_at timestamptz, ends_at timestamptz)
language sql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select c.relname::text, b.bounds[1]::timestamptz, b.bounds[2]::timestamptz
    from pg_inherits as i
    join pg_class as c on c.oid = i.inhrelid
    cross join lateral regexp_match(
        pg_get_expr(c.relpartbound, c.oid), 'FROM \(''(.+)''\) TO \(''(.+)''\)'
    ) as b (bounds)
    where i.inhparent = 'audit.events'::regclass and b.bounds is not null
    order by 2;
$$;

comment on function audit.partitions() is
    'The partitions of audit.events and what they hold: from starts_at up to, not including, ends_at. Without the default one.';

grant execute on function audit.partitions() to saas_owner;
