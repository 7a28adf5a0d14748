-- A copy of the data set with nothing of ours but its tables, constraints and indexes: no policies,
-- no triggers, no guard that refuses just that. Run by a superuser in the copy.
set event_triggers = off;
drop schema if exists guard cascade;

do $$
declare
    v_row record;
begin
    for v_row in select * from pg_catalog.pg_policies loop
        execute format('drop policy %I on %I.%I', v_row.policyname, v_row.schemaname, v_row.tablename);
    end loop;
    for v_row in
        select t.tgname, t.tgrelid::regclass as name
        from pg_catalog.pg_trigger as t
        where not t.tgisinternal and t.tgparentid = 0
    loop
        execute format('drop trigger %I on %s', v_row.tgname, v_row.name);
    end loop;
    for v_row in
        select c.oid::regclass as name
        from pg_catalog.pg_class as c
        where c.relrowsecurity
    loop
        execute format('alter table %s disable row level security', v_row.name);
        execute format('alter table %s no force row level security', v_row.name);
    end loop;
end
$$;

-- What `saas-api bootstrap` takes from everybody, and a database has by default.
grant execute on all functions in schema pg_catalog to bench_service, bench_tenant;

grant usage on schema app, auth, audit to bench_service, bench_tenant;
grant usage on domain audit.action, audit.changes to bench_service, bench_tenant;
