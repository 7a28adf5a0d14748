-- On top of unsealed.sql: no row-level security, and no guard that refuses just that.
set event_triggers = off;

do $$
declare
    v_table regclass;
begin
    for v_table in
        select c.oid::regclass from pg_catalog.pg_class as c where c.relrowsecurity
    loop
        execute format('alter table %s disable row level security', v_table);
        execute format('alter table %s no force row level security', v_table);
    end loop;
end
$$;
