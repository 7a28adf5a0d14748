-- Who may enter which room.
begin;
select plan(12);

select is(
    (
        select array_agg(
            format('%s: %s: %s', n.nspname, x.grantee::regrole, x.privilege_type)
            order by n.nspname, x.grantee::regrole::text, x.privilege_type
        )
        from pg_catalog.pg_namespace as n
        cross join lateral aclexplode(n.nspacl) as x
        where
            n.nspname in ('app', 'auth', 'api', 'audit', 'ctx', 'dba', 'gate', 'guard', 'deploy')
            and x.grantee <> n.nspowner
    ),
    array[
        'api: saas_api: USAGE',
        'app: saas_api: USAGE',
        'app: saas_dba: USAGE',
        'app: saas_gate: USAGE',
        'audit: saas_api: USAGE',
        'audit: saas_audit: CREATE',
        'audit: saas_audit: USAGE',
        'audit: saas_dba: USAGE',
        'audit: saas_gate: USAGE',
        'auth: saas_gate: USAGE',
        'ctx: saas_api: USAGE',
        'ctx: saas_audit: USAGE',
        'ctx: saas_gate: USAGE',
        'dba: saas_api: USAGE',
        'dba: saas_dba: USAGE',
        'deploy: saas_api: USAGE',
        'gate: saas_api: USAGE',
        'gate: saas_audit: USAGE',
        'gate: saas_dba: USAGE',
        'gate: saas_gate: CREATE',
        'gate: saas_gate: USAGE'
    ],
    'the schemas are open to whom they must be and to nobody else'
);

select tests.as_nobody();
select throws_ok(
    format('create table %I.lookalike ()', s.name), '42501', null,
    format('nobody makes a table in %s', s.name)
)
from unnest(array['app', 'auth', 'api', 'audit', 'ctx', 'dba', 'gate', 'guard', 'deploy', 'public']) as s (name);
select throws_ok(
    'create temporary table lookalike ()', '42501', null, 'nobody makes a temporary table'
);

select * from finish();
rollback;
