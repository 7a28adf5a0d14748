-- What holds for every object of the product, those of later days too: each test lists the
-- offenders, and there are none.
begin;
select plan(66);

-- Partitions of days to come are objects like any other.
set local role saas_owner;
select audit.prepare_partitions(1);
reset role;

create temporary view product_table as
select
    c.oid, c.oid::regclass as name, c.relname, c.relowner, c.relnamespace, c.relispartition, n.nspname
from pg_catalog.pg_class as c
join tests.product_schemas as n on n.oid = c.relnamespace
where c.relkind in ('r', 'p');

-- A tenant table has an organisation_id. Credentials are no tenant's: they are looked up before
-- anybody has entered anywhere, by the gate alone.
create temporary view tenant_table as
select t.oid, t.name, t.relname, a.attnum, a.attnotnull
from product_table as t
join pg_catalog.pg_attribute as a on a.attrelid = t.oid
where a.attname = 'organisation_id' and t.nspname <> 'auth';

-- What the wall lets be written, where that is not only the organisation entered: who has entered
-- none has idempotency keys and events of their own; and what no user or API key did is recorded
-- for any.
create temporary table wall (name text, with_check text);
insert into wall (name, with_check)
values
    (
        'app.idempotency_keys',
        '(organisation_id = COALESCE(( SELECT ctx.tenant_id() AS tenant_id), '
        || '''00000000-0000-0000-0000-000000000000''::uuid))'
    ),
    (
        'audit.events',
        '(( SELECT (CURRENT_USER = ''saas_audit''::name)) AND '
        || '((actor_type = ANY (ARRAY[''database_role''::text, ''anonymous''::text])) OR '
        || '(organisation_id = COALESCE(( SELECT ctx.tenant_id() AS tenant_id), '
        || '''00000000-0000-0000-0000-000000000000''::uuid))))'
    );

create temporary view product_function as
select
    p.oid, p.oid::regprocedure as name, n.nspname, p.proname, p.proowner, p.proacl, p.proconfig,
    p.prosecdef, p.proleakproof, p.prorettype, p.prosrc, p.prosqlbody
from pg_catalog.pg_proc as p
join tests.product_schemas as n on n.oid = p.pronamespace;

-- Row-level security.
select is_empty(
    $$
    select t.name from product_table as t join pg_catalog.pg_class as c using (oid)
    where not (c.relrowsecurity and c.relforcerowsecurity)
    $$,
    'row-level security is enabled and forced on every table'
);
select is_empty(
    $$
    select t.name from tenant_table as t join product_table as d using (oid)
    where not d.relispartition and not exists (
        select from pg_catalog.pg_policy as p
        left join wall as w on w.name = t.name::text
        where
            p.polrelid = t.oid and p.polname = 'tenant_isolation' and not p.polpermissive
            and p.polcmd = '*' and p.polroles = '{0}'
            and pg_get_expr(p.polqual, p.polrelid)
                ~ 'organisation_id = (COALESCE\(|ANY \(ARRAY\[)?\( SELECT ctx.tenant_(id\(\)|for\(''\w+\.read''::text\)) '
            and (
                pg_get_expr(p.polwithcheck, p.polrelid) = coalesce(
                    w.with_check, '(organisation_id = ( SELECT ctx.tenant_id() AS tenant_id))'
                )
                or w.name is null and pg_get_expr(p.polwithcheck, p.polrelid)
                    ~ '^\(organisation_id = \( SELECT ctx.tenant_for\(''\w+\.write''::text\) AS tenant_for\)\)$'
            )
    )
    $$,
    'every tenant table has the restrictive policy tenant_isolation, for all commands and everyone'
);
select is_empty(
    $$
    select p.polname, t.name
    from pg_catalog.pg_policy as p join product_table as t on t.oid = p.polrelid
    where
        not p.polpermissive
        and pg_get_expr(p.polqual, p.polrelid) like '% AND %'
        and pg_get_expr(p.polqual, p.polrelid) not like '((organisation_id = ANY (ARRAY[%'
    $$,
    'no restrictive policy asks anything of a row before it has asked for the tenant'
);
select is_empty(
    $$
    select p.polname, t.name
    from pg_catalog.pg_policy as p join product_table as t on t.oid = p.polrelid
    where concat(pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) ~ 'ctx\.permits'
    $$,
    'no policy asks for a permission apart from its tenant: another may have been entered in between'
);
select is_empty(
    $$
    select p.polname, t.name
    from pg_catalog.pg_policy as p join product_table as t on t.oid = p.polrelid
    where
        p.polpermissive
        and 0 = any (p.polroles)
        and exists (
            select from (values (p.polqual), (p.polwithcheck)) as e (expression)
            where
                pg_get_expr(e.expression, p.polrelid)
                !~ '^\(+( SELECT \()?CURRENT_USER = ''saas_api''::name\)'
        )
    $$,
    'every permissive policy names the role it is for'
);
select is_empty(
    $$
    select p.polname, t.name
    from pg_catalog.pg_policy as p join product_table as t on t.oid = p.polrelid
    where 'saas_api'::regrole = any (p.polroles)
    $$,
    'no policy is for saas_api by TO: DROP OWNED BY saas_api would take it away'
);
select is_empty(
    $$
    select t.name, x.grantee::regrole::text from product_table as t
    join pg_catalog.pg_class as c using (oid)
    cross join lateral aclexplode(c.relacl) as x
    where t.relispartition and x.grantee <> c.relowner
    union all
    select t.name, p.polname from product_table as t
    join pg_catalog.pg_policy as p on p.polrelid = t.oid
    where t.relispartition
    $$,
    'a partition has no grant and no policy: it is reached by way of its table alone'
);
select is_empty(
    $$
    select t.name from product_table as t
    where t.relispartition and (
        select array_agg(g.tgname::text order by g.tgname) from pg_catalog.pg_trigger as g
        where g.tgrelid = t.oid and g.tgfoid = 'audit.refuse_change()'::regprocedure
    ) is distinct from '{_100_append_only, _200_append_only_row}'
    $$,
    'a partition of the audit is append-only by itself, too'
);
select is_empty(
    $$
    select p.polname, t.name, e.expression
    from pg_catalog.pg_policy as p
    join product_table as t on t.oid = p.polrelid
    cross join lateral (
        values (pg_get_expr(p.polqual, p.polrelid)), (pg_get_expr(p.polwithcheck, p.polrelid))
    ) as e (expression)
    where regexp_count(e.expression, '\mctx\.')
        <> regexp_count(e.expression, '\( SELECT ctx\.\w+\(')
    $$,
    'every policy asks ctx once a statement, in (select ...), never once a row'
);
select is_empty(
    $$
    select p.polname, t.name
    from pg_catalog.pg_policy as p join product_table as t on t.oid = p.polrelid
    where
        p.polcmd = 'r' and t.nspname <> 'deploy' -- of one row
        and regexp_count(pg_get_expr(p.polqual, p.polrelid), 'CURRENT_USER')
        <> regexp_count(pg_get_expr(p.polqual, p.polrelid), '\( SELECT \(+CURRENT_USER')
    $$,
    'and who reads is asked once a statement: current_user looks into the catalogue, at every row'
);

-- PUBLIC has nothing.
select is_empty(
    $$
    select n.nspname, x.privilege_type
    from tests.product_schemas as s
    join pg_catalog.pg_namespace as n using (oid)
    cross join lateral aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) as x
    where x.grantee = 0
    $$,
    'PUBLIC has no privilege on a schema'
);
select is_empty(
    $$
    select c.oid::regclass, x.privilege_type
    from pg_catalog.pg_class as c
    join tests.product_schemas as n on n.oid = c.relnamespace
    cross join lateral aclexplode(c.relacl) as x
    where x.grantee = 0
    $$,
    'PUBLIC has no privilege on a table, a view or a sequence'
);
select is_empty(
    $$
    select c.oid::regclass, a.attname, x.privilege_type
    from pg_catalog.pg_attribute as a
    join pg_catalog.pg_class as c on c.oid = a.attrelid
    join tests.product_schemas as n on n.oid = c.relnamespace
    cross join lateral aclexplode(a.attacl) as x
    where x.grantee = 0
    $$,
    'PUBLIC has no privilege on a column'
);
select is_empty(
    $$
    select f.name from product_function as f
    cross join lateral aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) as x
    where x.grantee = 0
    $$,
    'PUBLIC may execute no function'
);
select is_empty(
    $$
    select d.datname, x.privilege_type
    from pg_catalog.pg_database as d
    cross join lateral aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) as x
    where d.datname = current_database() and x.grantee = 0
    $$,
    'PUBLIC has no privilege on the database'
);
select is_empty(
    $$
    select d.datname, x.privilege_type
    from pg_catalog.pg_database as d
    cross join lateral aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) as x
    where
        d.datname = current_database() and x.grantee = 'saas_api'::regrole
        and x.privilege_type <> 'CONNECT'
    $$,
    'the API may connect to the database, and make no object there, not even a temporary one'
);
set local role saas_owner;
create function app.tomorrow() returns integer language sql as 'select 1';
set local role saas_gate;
create function gate.tomorrow() returns integer language sql as 'select 1';
reset role;
select is_empty(
    $$
    select f.name from product_function as f
    where f.proname = 'tomorrow' and has_function_privilege('saas_api', f.oid, 'execute')
    $$,
    'a function made tomorrow is nobody''s until it is granted'
);
drop function app.tomorrow(), gate.tomorrow();

-- Functions.
select is_empty(
    $$
    select f.name, f.proconfig from product_function as f
    where
        not coalesce('search_path=pg_catalog, pg_temp' = any (f.proconfig), false)
        and f.prosqlbody is null
    $$,
    'every function has its search_path fixed, or was parsed when it was made'
);
select is_empty(
    $$
    select f.name
    from product_function as f where f.prosecdef and f.nspname not in ('gate', 'audit', 'guard')
    $$,
    'no function is a definer outside gate, audit and guard'
);
select is_empty(
    $$
    select f.name, f.proowner::regrole from product_function as f
    where f.nspname <> 'guard' and f.proowner::regrole::text <> case f.nspname
        when 'gate' then 'saas_gate' when 'audit' then 'saas_audit' else 'saas_owner'
    end
    $$,
    'the functions of gate and audit are owned by saas_gate and saas_audit, others by saas_owner'
);
select is_empty(
    $$ select f.name from product_function as f where f.proleakproof $$,
    'no function is marked leakproof: it would see rows before the policies do'
);
select is_empty(
    $$ select f.nspname, f.proname from product_function as f group by 1, 2 having count(*) > 1 $$,
    'no function has an overload'
);
select is_empty(
    $$
    select f.name, x.grantee::regrole from product_function as f
    cross join lateral aclexplode(f.proacl) as x
    where
        f.prorettype in ('trigger'::regtype, 'event_trigger'::regtype)
        and x.grantee not in (f.proowner, 'saas_owner'::regrole)
    $$,
    'nobody executes a trigger function but the owner, who makes the triggers'
);
select is_empty(
    $$
    select f.name from product_function as f
    where
        f.nspname in ('gate', 'audit')
        and f.prorettype <> 'trigger'::regtype
        and f.prosecdef <> exists (
            select from aclexplode(f.proacl) as x
            where x.grantee not in (f.proowner, 'saas_owner'::regrole)
        )
    $$,
    'what another role calls in gate and audit is a definer, and what is their own is none'
);
select is_empty(
    $$
    select f.name from product_function as f
    where coalesce(pg_get_function_sqlbody(f.oid), f.prosrc) ~ 'set_config\([^;]*,\s*false\s*\)'
    $$,
    'no function sets anything beyond its transaction'
);
select is_empty(
    $$
    select f.name, x.grantee::regrole from product_function as f
    cross join lateral aclexplode(f.proacl) as x
    where f.nspname = 'api' and x.grantee not in (f.proowner, 'saas_api'::regrole)
    $$,
    'schema api is for the API alone'
);

-- Who owns what.
select is_empty(
    $$
    select pg_describe_object(d.classid, d.objid, d.objsubid)
    from pg_catalog.pg_shdepend as d
    where
        d.refclassid = 'pg_authid'::regclass and d.refobjid = 'saas_api'::regrole
        and d.deptype = 'o'
        and d.dbid in (
            0, (select b.oid from pg_catalog.pg_database as b where b.datname = current_database())
        )
    $$,
    'the API owns nothing'
);
select is_empty(
    $$
    select pg_describe_object(d.classid, d.objid, d.objsubid)
    from pg_catalog.pg_shdepend as d
    where
        d.refclassid = 'pg_authid'::regclass and d.deptype = 'o'
        and d.refobjid in ('saas_gate'::regrole, 'saas_audit'::regrole)
        and d.classid not in ('pg_proc'::regclass, 'pg_default_acl'::regclass)
        and d.dbid in (
            0, (select b.oid from pg_catalog.pg_database as b where b.datname = current_database())
        )
    $$,
    'the gate and the audit own functions and nothing else'
);
select is_empty(
    $$
    select c.oid::regclass, c.relowner::regrole
    from pg_catalog.pg_class as c join tests.product_schemas as n on n.oid = c.relnamespace
    where n.nspname <> 'guard' and c.relowner <> 'saas_owner'::regrole
    union all
    select null, n.nspowner::regrole
    from pg_catalog.pg_namespace as n join tests.product_schemas as s using (oid)
    where
        n.nspname <> 'guard'
        and n.nspowner not in ('saas_owner'::regrole, 'pg_database_owner'::regrole)
    $$,
    'every schema, table and view is owned by saas_owner'
);
select is_empty(
    $$
    select o.name, o.owner::regrole
    from (
        select f.name::text, f.proowner from product_function as f where f.nspname = 'guard'
        union all
        select t.name::text, t.relowner from product_table as t where t.nspname = 'guard'
        union all
        select n.nspname::text, n.nspowner from pg_catalog.pg_namespace as n
        where n.nspname = 'guard'
    ) as o (name, owner)
    join pg_catalog.pg_roles as r on r.oid = o.owner
    where not r.rolsuper
    $$,
    'but the guard, which runs in a superuser''s DDL too, is a superuser''s: nobody else changes it'
);

-- Roles.
select is_empty(
    $$
    select r.rolname from pg_catalog.pg_roles as r
    where
        r.rolname ~ '^saas_'
        and (r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication)
    $$,
    'no role of the product is above the rules'
);
select is_empty(
    $$
    select m.roleid::regrole from pg_catalog.pg_auth_members as m
    where m.member = 'saas_api'::regrole
    $$,
    'the API is a member of nothing'
);
select is_empty(
    $$
    select m.member::regrole, m.roleid::regrole from pg_catalog.pg_auth_members as m
    join pg_catalog.pg_roles as r on r.oid = m.member
    where
        m.roleid::regrole::text in ('saas_owner', 'saas_gate', 'saas_audit', 'saas_api')
        and m.member <> 'saas_migrator'::regrole and not r.rolsuper and not r.rolcreaterole
        and not (
            m.member = 'saas_dba'::regrole
            and m.roleid = 'saas_api'::regrole
            and not m.inherit_option
        )
    $$,
    'nobody but the migrator becomes the owner, the gate or the audit, and but saas_dba the API'
);
select is_empty(
    $$
    select r.rolname from pg_catalog.pg_roles as r
    where r.rolname ~ '^saas_' and r.rolcanlogin <> (r.rolname in ('saas_api', 'saas_migrator'))
    $$,
    'the API and the migrator log in, and no other role of the product'
);

-- Grants.
select is_empty(
    $$
    select c.oid::regclass, x.privilege_type
    from pg_catalog.pg_class as c
    join tests.product_schemas as n on n.oid = c.relnamespace
    cross join lateral aclexplode(c.relacl) as x
    where
        c.relkind <> 'S' and x.grantee = 'saas_api'::regrole and x.privilege_type <> 'SELECT'
    $$,
    'the API has no privilege on a whole table but SELECT: any other allows LOCK TABLE'
);
select is_empty(
    $$
    select c.oid::regclass, a.attname, x.privilege_type
    from pg_catalog.pg_attribute as a
    join pg_catalog.pg_class as c on c.oid = a.attrelid
    join tests.product_schemas as n on n.oid = c.relnamespace
    cross join lateral aclexplode(a.attacl) as x
    where x.grantee = 'saas_api'::regrole and (
        x.privilege_type = 'REFERENCES'
        or x.privilege_type in ('INSERT', 'UPDATE') and a.attname in ('created_at', 'updated_at')
        or x.privilege_type = 'UPDATE' and a.attname = 'organisation_id'
    )
    $$,
    'the API writes no time the database sets, and moves no row to another organisation'
);
select is_empty(
    $$
    select c.oid::regclass, x.grantee::regrole
    from pg_catalog.pg_class as c
    join tests.product_schemas as n on n.oid = c.relnamespace
    cross join lateral aclexplode(c.relacl) as x
    where c.relkind = 'S' and x.grantee <> c.relowner
    $$,
    'no sequence is granted to anyone'
);
select is_empty(
    $$
    select n.nspname::text, x.grantee::regrole, x.privilege_type
    from pg_catalog.pg_namespace as n
    cross join lateral aclexplode(n.nspacl) as x
    where n.nspname = 'auth' and x.grantee not in (n.nspowner, 'saas_gate'::regrole)
    union all
    select c.oid::regclass::text, x.grantee::regrole, x.privilege_type
    from pg_catalog.pg_class as c
    cross join lateral aclexplode(c.relacl) as x
    where
        c.relnamespace = 'auth'::regnamespace
        and x.grantee not in (c.relowner, 'saas_gate'::regrole)
    union all
    select c.oid::regclass || '.' || a.attname, x.grantee::regrole, x.privilege_type
    from pg_catalog.pg_attribute as a
    join pg_catalog.pg_class as c on c.oid = a.attrelid
    cross join lateral aclexplode(a.attacl) as x
    where
        c.relnamespace = 'auth'::regnamespace
        and x.grantee not in (c.relowner, 'saas_gate'::regrole)
    $$,
    'nobody but the gate has a grant in auth'
);
select is_empty(
    $$
    select t.name, x.grantee::regrole, x.privilege_type
    from product_table as t join pg_catalog.pg_class as c using (oid)
    cross join lateral aclexplode(c.relacl) as x
    where t.nspname = 'deploy' and x.grantee <> c.relowner
        and (t.relname, x.grantee::regrole::text, x.privilege_type)
            <> ('schema_version', 'saas_api', 'SELECT')
    union all
    select t.name, x.grantee::regrole, x.privilege_type
    from product_table as t join pg_catalog.pg_attribute as a on a.attrelid = t.oid
    cross join lateral aclexplode(a.attacl) as x
    where t.nspname = 'deploy' and x.grantee <> t.relowner
    $$,
    'nobody but the owner has a grant on the bookkeeping, but the API reads the version'
);
select is_empty(
    $$
    select n.nspname, x.grantee::regrole
    from pg_catalog.pg_namespace as n
    join tests.product_schemas as s using (oid)
    cross join lateral aclexplode(n.nspacl) as x
    where
        x.privilege_type = 'CREATE' and x.grantee <> n.nspowner
        and (n.nspname, x.grantee::regrole::text) not in (
            ('gate', 'saas_gate'), ('audit', 'saas_audit')
        )
    $$,
    'nobody makes objects in a schema that is not theirs'
);
select is_empty(
    $$
    select c.oid::regclass::text, x.grantee::regrole from pg_catalog.pg_class as c
    join tests.product_schemas as n on n.oid = c.relnamespace
    cross join lateral aclexplode(c.relacl) as x
    where x.is_grantable and x.grantee <> c.relowner
    union all
    select f.name::text, x.grantee::regrole from product_function as f
    cross join lateral aclexplode(f.proacl) as x
    where x.is_grantable and x.grantee <> f.proowner
    $$,
    'nobody passes a privilege on'
);
select is_empty(
    $$
    select t.name, x.privilege_type
    from product_table as t join pg_catalog.pg_class as c using (oid)
    cross join lateral aclexplode(c.relacl) as x
    where
        x.privilege_type in ('TRUNCATE', 'MAINTAIN', 'REFERENCES', 'TRIGGER')
        and x.grantee <> c.relowner
    $$,
    'nobody but the owner truncates, maintains or hangs triggers on a table'
);

-- Keys of tenant tables.
select is_empty(
    $$
    select t.name from product_table as t
    where
        t.nspname = 'app' and t.relname <> 'users'
        and not exists (select from tenant_table as o where o.oid = t.oid)
    $$,
    'every table of app is a tenant table, but the people''s, who may be of many'
);
select is_empty(
    $$ select t.name from tenant_table as t where not t.attnotnull $$,
    'every row of a tenant table has an organisation'
);
select is_empty(
    $$
    select t.name from tenant_table as t
    where not exists (
        select from pg_catalog.pg_index as i where i.indrelid = t.oid and i.indisprimary
    )
    $$,
    'every tenant table has a primary key'
);
select is_empty(
    $$
    select i.indexrelid::regclass, t.name
    from tenant_table as t join pg_catalog.pg_index as i on i.indrelid = t.oid
    where (i.indisunique or i.indisexclusion) and i.indkey[0] <> t.attnum
    $$,
    'every unique key of a tenant table leads with organisation_id'
);
select is_empty(
    $$
    select i.indexrelid::regclass, t.name
    from tenant_table as t join pg_catalog.pg_index as i on i.indrelid = t.oid
    where
        i.indkey[0] <> t.attnum
        -- A user's organisations, what has expired, and a foreign key to users.
        and i.indexrelid::regclass::text not in (
            'app.memberships_user_id_idx', 'app.idempotency_keys_created_at_idx',
            'app.api_keys_created_by_user_id_idx'
        )
    $$,
    'every other index of a tenant table does, too, but for three that no tenant''s question enters'
);
select is_empty(
    $$
    select k.conname, t.name
    from product_table as t
    join pg_catalog.pg_constraint as k on k.conrelid = t.oid and k.contype = 'f'
    where not exists (
        select from pg_catalog.pg_index as i
        where
            i.indrelid = t.oid
            and i.indpred is null
            and (i.indkey::smallint[])[0:cardinality(k.conkey) - 1] @> k.conkey
    )
    $$,
    'every foreign key begins an index: what it refers to is removed without reading the table'
);
select is_empty(
    $$
    select k.conname, t.name
    from tenant_table as t
    join pg_catalog.pg_constraint as k on k.conrelid = t.oid and k.contype = 'f'
    join tenant_table as r on r.oid = k.confrelid
    where k.conkey[1] <> t.attnum or k.confkey[1] <> r.attnum
    $$,
    'every foreign key between tenant tables leads with organisation_id'
);
select is_empty(
    $$
    select k.conname, t.name
    from tenant_table as t
    join pg_catalog.pg_constraint as k on k.conrelid = t.oid and k.contype = 'f'
    where k.confdeltype in ('n', 'd') or k.confupdtype in ('n', 'd')
    $$,
    'no foreign key of a tenant table sets null or default'
);
select is_empty(
    $$
    select c.oid::regclass, a.attname
    from pg_catalog.pg_attribute as a
    join product_table as c on c.oid = a.attrelid
    join pg_catalog.pg_type as y on y.oid = a.atttypid
    where a.attnum > 0 and y.typtype = 'e'
    $$,
    'no column is an enum: its equality is not leakproof, so that no index would help'
);

select is_empty(
    $$
    select t.name, a.attname, col_description(t.oid, a.attnum)
    from product_table as t
    join pg_catalog.pg_attribute as a on a.attrelid = t.oid
    where
        t.nspname <> 'deploy' and a.attnum > 0 and not a.attisdropped
        and a.attnotnull = (coalesce(col_description(t.oid, a.attnum), '') ~ '\mNull: ')
    $$,
    'a column is nullable if its comment says what null means, and else is not'
);

-- Names.
select is_empty(
    $$
    select k.conname, t.name
    from product_table as t join pg_catalog.pg_constraint as k on k.conrelid = t.oid
    where
        not t.relispartition
        and k.contype <> 't' -- is a trigger, and named as one
        and not starts_with(k.conname, t.relname || '_')
    $$,
    'every constraint is named after its table'
);
select is_empty(
    $$
    select c.relname, t.name
    from product_table as t
    join pg_catalog.pg_index as i on i.indrelid = t.oid
    join pg_catalog.pg_class as c on c.oid = i.indexrelid
    where not t.relispartition and not starts_with(c.relname, t.relname || '_')
    $$,
    'every index is named after its table'
);
select is_empty(
    $$
    select g.tgname, t.name
    from product_table as t join pg_catalog.pg_trigger as g on g.tgrelid = t.oid
    where not g.tgisinternal and g.tgname !~ '^_\d{3}_[a-z]'
    $$,
    'every trigger is named by its place in the firing order'
);
select is_empty(
    $$
    select g.tgname, t.name
    from product_table as t join pg_catalog.pg_trigger as g on g.tgrelid = t.oid
    where not g.tgisinternal and g.tgenabled <> 'O'
    $$,
    'every trigger is enabled'
);
select is_empty(
    $$
    select t.relname from product_table as t
    where t.nspname in ('app', 'auth', 'audit', 'deploy')
    group by t.relname having count(*) > 1
    $$,
    'no two tables have one name: a policy file finds its table by it'
);

-- Views.
select is_empty(
    $$
    select c.oid::regclass
    from pg_catalog.pg_class as c join tests.product_schemas as n on n.oid = c.relnamespace
    where
        c.relkind = 'v'
        -- Whom the policies bind, too; and there is a policy for it.
        and (c.oid::regclass::text, c.relowner::regrole::text)
        <> ('api.listed_projects', 'saas_owner')
        and not coalesce(
            c.reloptions && array['security_invoker=true', 'security_invoker=on'],
            false
        )
    $$,
    'every view asks with the rights of who reads it, but for the one that lists projects'
);
select is_empty(
    $$
    select c.oid::regclass
    from pg_catalog.pg_class as c join tests.product_schemas as n on n.oid = c.relnamespace
    where c.relkind in ('m', 'f')
    $$,
    'there is no materialized view and no foreign table: no policy holds there'
);
select is_empty(
    $$
    select w.rulename, t.name from product_table as t
    join pg_catalog.pg_rewrite as w on w.ev_class = t.oid
    $$,
    'no table has a rule'
);

-- Comments.
select is_empty(
    $$
    select n.nspname
    from tests.product_schemas as n where obj_description(n.oid, 'pg_namespace') is null
    $$,
    'every schema has a comment'
);
select is_empty(
    $$
    select c.oid::regclass
    from pg_catalog.pg_class as c join tests.product_schemas as n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v') and obj_description(c.oid, 'pg_class') is null
    $$,
    'every table and view has a comment'
);
select is_empty(
    $$
    select c.oid::regclass, a.attname
    from pg_catalog.pg_class as c
    join tests.product_schemas as n on n.oid = c.relnamespace
    join pg_catalog.pg_attribute as a on a.attrelid = c.oid
    where
        c.relkind in ('r', 'p', 'v') and n.nspname <> 'deploy'
        and a.attnum > 0 and not a.attisdropped and col_description(c.oid, a.attnum) is null
    $$,
    'every column has a comment (but for the bookkeeping of migrations)'
);
select is_empty(
    $$ select f.name from product_function as f where obj_description(f.oid, 'pg_proc') is null $$,
    'every function has a comment'
);
select is_empty(
    $$
    select p.polname, t.name
    from product_table as t join pg_catalog.pg_policy as p on p.polrelid = t.oid
    where obj_description(p.oid, 'pg_policy') is null
    $$,
    'every policy has a comment'
);
select is_empty(
    $$
    select g.tgname, t.name
    from product_table as t join pg_catalog.pg_trigger as g on g.tgrelid = t.oid
    where
        not g.tgisinternal and g.tgparentid = 0
        and obj_description(g.oid, 'pg_trigger') is null
    $$,
    'every trigger has a comment'
);

select * from finish();
rollback;
