-- The roles, and the hardening of this database. Run by `saas-api bootstrap` in the new database,
-- as a superuser or as a role with CREATEROLE and CREATEDB that made both. Safe to run twice.

-- 1. Roles: what each is for is in the comments below.
do $$
declare
    v_role record;
begin
    for v_role in
        select r.name, r.can_login, a.rolname is not null as is_there, a.*
        from (
            values
                ('saas_owner', false),
                ('saas_gate', false),
                ('saas_audit', false),
                ('saas_api', true),
                ('saas_migrator', true),
                ('saas_dba', false)
        ) as r (name, can_login)
        left join pg_catalog.pg_roles as a on a.rolname = r.name
    loop
        if not v_role.is_there then
            execute format(
                'create role %I noinherit %s',
                v_role.name,
                case when v_role.can_login then 'login' else 'nologin' end
            );
        elsif
            v_role.rolcanlogin <> v_role.can_login
            or v_role.rolinherit
            or v_role.rolcreatedb
            or v_role.rolcreaterole
        then
            execute format(
                'alter role %I noinherit nocreatedb nocreaterole %s',
                v_role.name,
                case when v_role.can_login then 'login' else 'nologin' end
            );
        end if;
        if v_role.rolsuper or v_role.rolbypassrls or v_role.rolreplication then
            execute format('alter role %I nosuperuser nobypassrls noreplication', v_role.name);
        end if;
    end loop;
end
$$;

comment on role saas_owner is 'Owns schemas and tables, and is forced under their policies. No login.';
comment on role saas_gate is 'Owns the functions that check credentials, and has their narrow policies. No login.';
comment on role saas_audit is 'Owns the function that writes audit rows. No login.';
comment on role saas_api is 'What the API connects as: calls api.*, owns nothing, is member of nothing.';
comment on role saas_migrator is 'What saas-api migrate connects as: may become the three owners.';
comment on role saas_dba is 'Group of people who inspect: reads dba.*, may impersonate, which is audited.';

grant saas_owner, saas_gate, saas_audit to saas_migrator with inherit false, set true, admin false; -- noqa: PRS
-- To be saas_api opens nothing: that takes a sealed context.
grant saas_api to saas_dba with inherit false, set true, admin false; -- noqa: PRS

-- 2. What a session of each login role starts with, and nothing else. A role may change its own settings,
--    so the API does not rely on these: it sends all of them, and those that could change what a
--    statement means, at each connection (SESSION in api/database.py). `saas-api doctor` compares.
alter role saas_api reset all;
alter role saas_migrator reset all;
do $$
begin
    execute format('alter role saas_api in database %I reset all', current_database());
    execute format('alter role saas_migrator in database %I reset all', current_database());
end
$$;
alter role saas_api set search_path = pg_catalog;
alter role saas_api set timezone = 'UTC';
alter role saas_api set default_transaction_isolation = 'read committed';
alter role saas_api set statement_timeout = '5s';
alter role saas_api set lock_timeout = '5s';
alter role saas_api set idle_in_transaction_session_timeout = '10s';
alter role saas_api set plan_cache_mode = force_generic_plan;
alter role saas_api set enable_seqscan = off;
alter role saas_api set enable_bitmapscan = off;
alter role saas_api set enable_sort = off;
alter role saas_api set max_parallel_workers_per_gather = 0;
alter role saas_api set jit = off;
alter role saas_migrator set search_path = pg_catalog;
alter role saas_migrator set timezone = 'UTC';

-- 3. The database belongs to saas_owner. An admin who is no superuser becomes its member for that;
--    `saas-api bootstrap` ends the membership in the same transaction.
do $$
begin
    if not pg_has_role(current_user, 'saas_owner', 'set') then
        grant saas_owner to current_user with inherit false, set true;
    end if;
    if (select d.datdba from pg_catalog.pg_database as d where d.datname = current_database())
        <> 'saas_owner'::regrole
    then
        execute format('alter database %I owner to saas_owner', current_database());
    end if;
end
$$;

set local role saas_owner;

do $$
begin
    execute format('revoke all on database %I from public', current_database());
    execute format(
        'grant connect on database %I to saas_api, saas_migrator, saas_dba, %I',
        current_database(),
        session_user
    );
    execute format('comment on database %I is %L', current_database(), 'multi-tenant-saas-api');
end
$$;
revoke all on schema public from public;

reset role;

-- 4. All sessions of the API share one role: take away what one of them could do to another, and
--    what one tenant could use to block or fill what all share. Only a superuser can; `saas-api doctor` tells.
do $$
declare
    v_function regprocedure;
begin
    if current_setting('is_superuser') <> 'on' then
        return;
    end if;
    for v_function in
        select p.oid
        from pg_catalog.pg_proc as p
        where
            p.pronamespace = 'pg_catalog'::regnamespace
            and (
                p.proname in (
                    'pg_terminate_backend',
                    'pg_cancel_backend',
                    'pg_notify',
                    'pg_logical_emit_message',
                    'loread',
                    'lowrite'
                )
                or p.proname ~ '^(lo_|pg_advisory_|pg_try_advisory_)'
            )
            and has_function_privilege('public', p.oid, 'execute')
    loop
        execute format('revoke execute on function %s from public', v_function);
    end loop;
end
$$;

-- 5. A leakproof comparison may run before a policy's own condition does, and may use the planner's
--    statistics. EXPLAIN ANALYZE then tells whether a row of any tenant passed it ("never executed"),
--    and EXPLAIN how many rows might: a binary search over that spells out other tenants' names and
--    emails. So nothing stays leakproof in this database but the equality of ids, which every key's
--    index needs. Only a superuser can; `saas-api doctor` tells.
do $$
declare
    v_function regprocedure;
begin
    if current_setting('is_superuser') <> 'on' then
        return;
    end if;
    for v_function in
        select p.oid
        from pg_catalog.pg_proc as p
        where p.proleakproof and p.oid <> 'pg_catalog.uuid_eq(uuid, uuid)'::regprocedure
    loop
        execute format('alter function %s not leakproof', v_function);
    end loop;
end
$$;
