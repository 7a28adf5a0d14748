-- A database administrator becomes somebody, and nobody else can.
begin;
select plan(33);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
select tests.new_project('Apollo', 'Acme');
select tests.new_project('Gemini', 'Globex');
-- Under names that no organisation of the database has.
update app.organisations set name = name || ' of the tests'
where organisation_id in (tests.organisation(), tests.organisation('Globex'));

-- A DBA is a member of saas_dba that logs in: saas_dba itself stands in for one here.
select tests.as_superuser();
set local role saas_dba;

select results_eq(
    $$ select sealed, role, permissions from dba.whoami() $$,
    $$ values (false, null::text, null::text[]) $$,
    'a DBA is nobody without a context'
);
select throws_ok(
    'select from app.projects', '42501', null, 'a DBA reads no table'
);
select throws_ok(
    $$ select dba.impersonate('nobody@acme.example', 'Acme of the tests') $$, 'SA404', 'no user nobody@acme.example',
    'a DBA cannot become who is not there'
);
select throws_ok(
    $$ select dba.impersonate('owner@globex.example', 'Acme of the tests') $$, 'SA404',
    'owner@globex.example is no member of Acme of the tests',
    'a DBA cannot become a stranger in an organisation'
);
select throws_ok(
    $$ select dba.impersonate('owner@acme.example', 'Initech of the tests') $$, 'SA404', 'no organisation Initech of the tests',
    'a DBA cannot enter an organisation that is not there'
);
select throws_ok(
    $$ select dba.impersonate_role('god', 'Acme of the tests') $$, 'SA404', 'no role god in Acme of the tests',
    'a DBA cannot have a role that is none'
);
select throws_ok(
    $$ select dba.impersonate('nobody@acme.example') $$, 'SA404', 'no user nobody@acme.example',
    'nor without an organisation'
);
select results_eq(
    $$
    select name, role from gate.tenants('owner@globex.example') where name ~ ' of the tests$'
    $$,
    $$ values ('Globex of the tests', 'owner'), ('Acme of the tests', null) $$,
    'a DBA lists the organisations, those of a user first'
);
select throws_ok(
    $$ select dba.impersonate_role('owner', null) $$, 'SA404', null,
    'a DBA cannot have a role nowhere'
);

-- Writing has to be asked for, and is the DBA's.
select tests.as_superuser();
set local role saas_dba;
select dba.impersonate('member@acme.example', tests.organisation('Acme')::text, read_only => false);
select lives_ok(
    $$ update app.projects set name = 'Apollo 11' where name = 'Apollo' $$,
    'an impersonated member may write when that was asked for'
);
select is_empty(
    $$ update app.organisations set name = 'x' returning name $$,
    'an impersonated member may still not rename the organisation'
);
select tests.as_superuser();
select results_eq(
    $$
    select action::text, actor_type, actor_database_role, actor_user_id, request_id
    from audit.events where request_id like 'dba:%' and occurred_at = now() order by audit_event_id
    $$,
    format(
        $$
        values
            ('dba.impersonated', 'database_role', %1$L::text, null::uuid, %2$L),
            ('project.updated', 'database_role', %1$L, %3$L, %2$L)
        $$,
        session_user, 'dba:' || session_user, tests.user_id('member')
    ),
    'the audit names the DBA for the act, and for what was changed in the user''s name'
);
select results_eq(
    $$
    select organisation_id, target_type, target_id, changes::jsonb
    from audit.events where action = 'dba.impersonated' and occurred_at = now()
    $$,
    $$
    values (
        tests.organisation('Acme'), 'user', tests.user_id('member'),
        '{"role": {"old": null, "new": "member"}}'::jsonb
    )
    $$,
    'the event of an impersonation is the tenant''s own, and says whom and as what'
);

-- One after the other in one transaction: each is an event, and what is changed is in the name of who is
-- on by then.
set local role saas_dba;
select dba.impersonate('member@acme.example', 'Acme of the tests', read_only => false);
reset role;
set local role saas_dba;
select dba.impersonate('owner@acme.example', 'Acme of the tests', read_only => false);
update app.projects set name = 'Apollo 12' where name = 'Apollo 11';
reset role;
set local role saas_dba;
select results_eq(
    'select sealed, role from dba.whoami()', 'values (null::boolean, null::text)',
    'a DBA who is oneself again may not know whether the seal of before holds'
);
select tests.as_superuser();
select results_eq(
    $$
    select action::text, actor_type, coalesce(actor_user_id, target_id)
    from audit.events where request_id like 'dba:%' and occurred_at = now() order by audit_event_id offset 2
    $$,
    $$
    values
        ('dba.impersonated', 'database_role', tests.user_id('member')),
        ('dba.impersonated', 'database_role', tests.user_id('owner')),
        ('project.updated', 'database_role', tests.user_id('owner'))
    $$,
    'a DBA who becomes two people in one transaction has an event of each'
);

-- A role of nobody in particular.
set local role saas_dba;
savepoint nobody;
select dba.impersonate_role('admin', 'Acme of the tests', read_only => false);
select results_eq(
    'select role, user_id, email, api_key_id from dba.whoami()',
    $$ values ('admin', '00000000-0000-0000-0000-000000000000'::uuid, null::text, null::uuid) $$,
    'a DBA becomes an admin of no person'
);
select is(
    (select count(*)::integer from app.memberships), 4,
    'an admin of no person lists the members'
);
rollback to nobody;
release nobody;
select tests.as_superuser();
set local role saas_dba;
savepoint nobody;
select dba.impersonate_role('api_key', 'Acme of the tests', read_only => false);
select is(
    (select count(*)::integer from app.projects), 1, 'an API key of nobody reads the projects'
);
select is_empty('select from app.users', 'an API key of nobody reads no user');
rollback to nobody;
release nobody;

-- A name that two organisations have.
select tests.as_superuser();
update app.organisations set name = 'Acme of the tests' where organisation_id = tests.organisation('Globex');
set local role saas_dba;
select throws_ok(
    $$ select dba.impersonate('owner@acme.example', 'Acme of the tests') $$, 'SA409',
    'more than one organisation is named Acme of the tests',
    'a DBA has to say which of two organisations of one name is meant'
);
select matches(
    dba.impersonate('stranger@acme.example', read_only => false),
    '^stranger@acme.example, and may write',
    'a DBA becomes a user who has entered no organisation'
);
select tests.as_superuser();

-- Nobody else.
select tests.as('owner');
select throws_ok(
    $$ select gate.impersonate('owner@acme.example', null, 'Acme of the tests') $$, '42501', null,
    'an owner may not impersonate'
);
select throws_ok(
    $$ select dba.impersonate('owner@acme.example', 'Acme of the tests') $$, '42501', null,
    'an owner may not ask the DBA''s functions'
);
select throws_ok('select * from gate.tenants()', '42501', null, 'an owner may not list tenants');

-- Read only, until the transaction ends: so this comes last, and in no savepoint.
select tests.as_superuser();
update app.organisations set name = 'Globex of the tests' where organisation_id = tests.organisation('Globex');
set local role saas_dba;
select throws_ok(
    $$ select dba.impersonate('viewer@acme.example', 'Acme of the tests') $$, '25001',
    'read only would end with the savepoint',
    'a DBA does not become a viewer read only in a savepoint, which would end that'
);
select matches(
    dba.impersonate('VIEWER@acme.example', 'acme of the tests'), 'viewer of acme of the tests, read only',
    'a DBA becomes a user by email and by the name of the organisation, without regard to case'
);
select results_eq(
    $$
    select
        database_role, sealed, read_only, email, organisation, role,
        'projects.read' = any (permissions), 'projects.write' = any (permissions)
    from dba.whoami()
    $$,
    $$
    values (
        'saas_api', true, true, 'viewer@acme.example', 'Acme of the tests', 'viewer', true, false
    )
    $$,
    'an impersonated viewer is what the policies see'
);
select results_eq(
    'select name from app.projects', array['Apollo 12'],
    'an impersonated viewer reads the projects of the organisation and no other'
);
select throws_ok(
    $$ update app.projects set name = 'x' $$, '25006', null,
    'an impersonated viewer is read only'
);
select throws_ok(
    $$ select set_config('transaction_read_only', 'off', true) $$, '25001', null,
    'and stays so until the transaction ends'
);
select throws_ok(
    $$ select dba.impersonate('owner@acme.example', 'Acme of the tests') $$, '42501', null,
    'an impersonated viewer does not become an owner'
);
reset role;
select throws_ok(
    $$ select dba.impersonate('owner@acme.example', 'Acme of the tests', read_only => false) $$, '25006', null,
    'a DBA who was a viewer, read only, does not become an owner who may write'
);
savepoint inner_one;
release inner_one;
select tests.as_superuser();
select throws_ok(
    $$ update app.organisations set name = 'x' $$, '25006', null,
    'nobody writes, whoever they are by now and whatever savepoint has ended'
);

select * from finish();
rollback;
