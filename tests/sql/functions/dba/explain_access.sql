-- Why a row is hidden: the steps, the verdict, and that the look leaves nothing behind.
begin;
select plan(40);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
select tests.new_project('Apollo', 'Acme');
select tests.new_project('Gemini', 'Globex');
-- Under names that no organisation of the database has.
update app.organisations set name = name || ' of the tests'
where organisation_id in (tests.organisation(), tests.organisation('Globex'));
insert into app.idempotency_keys
    (organisation_id, principal_id, endpoint, idempotency_key, request)
values (tests.organisation('Acme'), tests.user_id('owner'), 'POST /x', 'k', '{}');

-- A table of tomorrow: no migration of ours knows it.
create table app.gadgets (
    organisation_id uuid not null, gadget_id uuid not null, size integer,
    primary key (organisation_id, gadget_id)
);
alter table app.gadgets enable row level security;
grant select on app.gadgets to saas_api;
create policy tenant_isolation on app.gadgets as restrictive for all to public
using (organisation_id = (select ctx.tenant_id()));
create policy small on app.gadgets for select to public using (size < 10);
insert into app.gadgets values
    (tests.organisation('Acme'), tests.project('small'), 1),
    (tests.organisation('Acme'), tests.project('unsized'), null);
-- Row-level security off, its policies are asked by nobody.
create table app.open_gadgets (like app.gadgets including all);
grant select on app.open_gadgets to saas_api;
create policy nobody on app.open_gadgets as restrictive for all to public using (false);
insert into app.open_gadgets values (tests.organisation('Globex'), tests.project('open'), 1);
-- Columns whose names are words of SQL, or a short one that a query may give to a table.
create table app.notes (
    organisation_id uuid not null, note_id uuid not null, t text,
    "select" integer, "Sel" integer, "user" text, "a ""b.+" integer, current_user_id integer,
    primary key (organisation_id, note_id)
);
alter table app.notes enable row level security;
grant select on app.notes to saas_api;
create policy words on app.notes for select to saas_api using (
    t = 'x' and "select" = 1 and "Sel" = 2 and "user" <> 'it''s "note_id"' and "a ""b.+" = 3
    and organisation_id = ctx.tenant_id()
);
insert into app.notes values
    (tests.organisation('Acme'), tests.project('note'), 'x', 1, 2, 'ada', 3, 4);
-- Whose update no policy lets begin.
create table app.unopened (like app.gadgets including all);
alter table app.unopened enable row level security;
grant select, update on app.unopened to saas_api;
create policy see on app.unopened for select to saas_api using (true);
create policy change on app.unopened for update to saas_api with check (true);
insert into app.unopened values (tests.organisation('Acme'), tests.project('unopened'), 1);
create table app.counters (
    organisation_id uuid not null, counter_id bigint not null,
    primary key (organisation_id, counter_id)
);
alter table app.counters enable row level security;
grant select on app.counters to saas_api;
create policy first_page on app.counters for select to saas_api using (ctid < '(1,0)');
insert into app.counters values (tests.organisation('Acme'), 7);
create view app.seen_gadgets with (security_invoker = true) as select * from app.gadgets;

create function pg_temp.verdict(
    p_table regclass, p_id text, p_actor text, p_verb text, p_organisation text default null
)
returns text
language sql
as $$
    select e.compared
    from dba.explain_access(
        p_table, p_id, case when p_actor = 'api_key' then p_actor else tests.email(p_actor) end,
        p_organisation, p_verb
    ) as e
    where e.step = 'verdict';
$$;

-- How many looks at an organisation, or at none, a row has taken.
set local track_functions = 'all';
create function pg_temp.looks(p_table regclass, p_id text, p_who text, p_organisation text)
returns bigint
language plpgsql
as $$
declare
    v_look oid := 'dba.look'::regproc;
    v_before bigint := coalesce(pg_stat_get_xact_function_calls(v_look), 0);
begin
    perform dba.explain_access(p_table, p_id, p_who, p_organisation, 'select');
    return pg_stat_get_xact_function_calls(v_look) - v_before;
end
$$;

set local role saas_dba;

select is(
    pg_temp.verdict('app.projects', tests.project('Apollo')::text, 'viewer', 'select'),
    'visible: viewer@acme.example is a viewer of Acme of the tests, and read_viewer opens it',
    'a viewer''s own project is visible'
);
select is(
    pg_temp.verdict('app.projects', tests.project('Gemini', 'Globex')::text, 'viewer', 'select'),
    'hidden: viewer@acme.example is a viewer of Acme of the tests; the row belongs to Globex of the tests',
    'a project of another organisation is hidden from a viewer, and the verdict says whose it is'
);
select is(
    pg_temp.verdict('app.projects', tests.project('Apollo')::text, 'viewer', 'update'),
    'refused: viewer@acme.example is a viewer of Acme of the tests, and the restrictive policy tenant_isolation '
    || 'does not hold, for a change that leaves the row as it is',
    'a viewer may not change a project, by the policy that says so'
);
select is(
    pg_temp.verdict('app.projects', tests.project('Apollo')::text, 'member', 'update'),
    'allowed: member@acme.example is a member of Acme of the tests, and update_member opens it, '
    || 'for a change that leaves the row as it is',
    'a member may change a project'
);
select is(
    pg_temp.verdict('app.projects', tests.project('Apollo')::text, 'member', 'insert'),
    'allowed: member@acme.example is a member of Acme of the tests, and insert_member opens it',
    'a member may add a project'
);
select is(
    pg_temp.verdict('app.projects', tests.project('Apollo')::text, 'owner', 'delete'),
    'refused: no grant of delete on app.projects to the API, whoever asks',
    'an owner may not delete a project: there is no grant'
);
select is(
    pg_temp.verdict('app.projects', tests.project('Vostok')::text, 'owner', 'select'),
    'unknown: nobody sees such a row whole; if there is one, a superuser can tell',
    'a project that is not there is unknown to who is no superuser'
);
select is(
    pg_temp.verdict(
        'app.memberships', format('{"user_id": "%s"}', tests.user_id('owner')), 'admin', 'update'
    ),
    'refused: admin@acme.example is an admin of Acme of the tests, and no policy opens it '
    || '(update_admin, update_owner), for a change that leaves the row as it is',
    'an admin may not change an owner, and the verdict names the policies that might'
);
select is(
    pg_temp.verdict('app.users', tests.user_id('owner')::text, 'member', 'select'),
    'hidden: member@acme.example is a member of Acme of the tests, and no policy opens it '
    || '(read_admin, read_self)',
    'a colleague is hidden from a member'
);
select is(
    pg_temp.verdict('app.users', tests.user_id('stranger')::text, 'stranger', 'select'),
    'visible: stranger@acme.example has entered no organisation, and read_self opens it',
    'a stranger sees oneself'
);
select is(
    pg_temp.verdict('app.organisations', tests.organisation('Acme')::text, 'stranger', 'select'),
    'hidden: stranger@acme.example has entered no organisation; the row belongs to Acme of the tests',
    'an organisation is hidden from a stranger'
);
select is(
    pg_temp.verdict('app.idempotency_keys', '{"idempotency_key": "k"}', 'owner', 'select'),
    'visible: owner@acme.example is an owner of Acme of the tests, and own_principal opens it',
    'an owner sees a key of one''s own'
);
select is(
    pg_temp.verdict('app.gadgets', tests.project('small')::text, 'viewer', 'select'),
    'visible: viewer@acme.example is a viewer of Acme of the tests, and small opens it',
    'a table of tomorrow is explained'
);
select is(
    pg_temp.verdict('app.gadgets', tests.project('small')::text, 'viewer', 'insert'),
    'refused: no grant of insert on app.gadgets to the API, whoever asks',
    'a table of tomorrow is explained for what is not granted'
);
select is(
    pg_temp.verdict('app.open_gadgets', tests.project('open')::text, 'viewer', 'select'),
    'visible: viewer@acme.example is a viewer of Acme of the tests, and row-level security is off',
    'a row of a table without row-level security is visible to everybody, whatever its policies say'
);
select is(
    pg_temp.verdict('app.projects', tests.project('Apollo')::text, 'api_key', 'update', 'Acme of the tests'),
    'allowed: nobody is an api_key of Acme of the tests, and update_member opens it, '
    || 'for a change that leaves the row as it is',
    'an API key may change a project'
);
select is(
    pg_temp.verdict('app.users', tests.user_id('owner')::text, 'api_key', 'select', 'acme of the tests'),
    'hidden: nobody is an api_key of Acme of the tests, and the restrictive policy context_first does not hold',
    'a user is hidden from an API key'
);
select is(
    pg_temp.verdict(
        'app.projects',
        format(
            '{"organisation_id": "%s", "project_id": "%s"}',
            upper(tests.organisation('Globex')::text), tests.project('Gemini', 'Globex')
        ),
        'viewer', 'select'
    ),
    'hidden: viewer@acme.example is a viewer of Acme of the tests; the row belongs to Globex of the tests',
    'a row is found in the organisation that its key says'
);
select is(
    pg_temp.looks(
        'app.projects',
        format(
            '{"organisation_id": "%s", "project_id": "%s"}',
            tests.organisation('Globex'), tests.project('Gemini', 'Globex')
        ),
        'viewer@acme.example', null
    ),
    2::bigint, 'and in no other: one look as the user, one as an owner there'
);
select is(
    pg_temp.looks(
        'app.api_keys', tests.user_id('api_key', 'Globex')::text, 'viewer', 'globex of the tests'
    ),
    2::bigint, 'a row of the organisation asked about is found there first'
);
select is(
    (
        select e.result from dba.explain_access(
            'app.projects', tests.project('Vostok')::text, tests.email('owner'), null, 'select'
        ) as e
        where e.step = 'verdict'
    ),
    null, 'of a row that nobody sees there is no verdict'
);
select throws_ok(
    $$ select * from dba.explain_access('app.projects', 'x', 'god', 'Acme of the tests') $$,
    'SA404', 'no role god in Acme of the tests', 'a role that is none is refused'
);

select results_eq(
    format(
        $$
        select step, name, kind, result from dba.explain_access(
            'app.projects', %L, 'viewer@acme.example', 'Acme of the tests', 'select'
        )
        $$,
        tests.project('Gemini', 'Globex')
    ),
    $$
    values
        ('row', 'app.projects', null, true), ('grant', 'app.projects', null, true),
        ('policy', 'tenant_isolation', 'restrictive', false),
        ('policy', 'read_viewer', 'permissive', true), ('verdict', null, null, false)
    $$,
    'the steps are the row, the grant, each policy, and the verdict'
);
select matches(
    (
        select e.compared from dba.explain_access(
            'app.projects', tests.project('Gemini', 'Globex')::text, 'viewer@acme.example',
            'Acme of the tests', 'select'
        ) as e
        where e.name = 'tenant_isolation'
    ),
    format(
        'organisation_id = %s, ctx.tenant_for.* = %s',
        tests.organisation('Globex'),
        tests.organisation('Acme')
    ),
    'a policy''s step has the values that it compared'
);
select throws_ok(
    $$ select * from dba.explain_access('app.memberships', 'x', 'owner@acme.example', null, 'see') $$,
    '22023', null, 'a verb that is none is refused'
);
select throws_ok(
    $$ select * from dba.explain_access('app.idempotency_keys', 'x', 'owner@acme.example') $$,
    '22023', null, 'a table of many key columns asks for them'
);
select is(
    pg_temp.verdict('app.notes', tests.project('note')::text, 'viewer', 'select'),
    'visible: viewer@acme.example is a viewer of Acme of the tests, and words opens it',
    'a row is found and judged whatever its columns are called'
);
select is(
    (
        select e.compared from dba.explain_access(
            'app.notes', tests.project('note')::text, tests.email('viewer'), null, 'select'
        ) as e
        where e.name = 'words'
    ),
    format(
        'organisation_id = %1$s, t = x, "select" = 1, "Sel" = 2, "user" = ada, "a ""b.+" = 3, '
        || 'ctx.tenant_id() = %1$s',
        tests.organisation('Acme')
    ),
    'a column that is a word of SQL is compared by its value, and a literal is no column'
);
select is(
    pg_temp.verdict('app.unopened', tests.project('unopened')::text, 'member', 'update'),
    'refused: member@acme.example is a member of Acme of the tests, and no policy opens it (change), '
    || 'for a change that leaves the row as it is',
    'an update that no policy lets begin is refused, though one would let it end'
);
select throws_ok(
    $$ select * from dba.explain_access('app.seen_gadgets', 'x', 'owner@acme.example') $$,
    '22023', 'app.seen_gadgets is no table', 'a view is not explained'
);
select throws_ok(
    $$ select * from dba.explain_access('app.counters', '7', 'owner@acme.example') $$,
    '22023', 'no single row of app.counters is meant by 7', 'a key that is no UUID is asked for'
);
select throws_ok(
    $$ select * from dba.explain_access('app.projects', '{}', 'owner@acme.example') $$,
    '22023', 'no single row of app.projects is meant by {}', 'a key of no columns is refused'
);
select throws_ok(
    $$ select * from dba.explain_access('app.counters', '{"counter_id": 7}', 'owner@acme.example') $$,
    '22023',
    'a policy of app.counters asks for more than the row: column "ctid" does not exist',
    'a policy that asks for a system column is not explained'
);

-- Who finds a row says so to whom it belongs.
savepoint found;
select isnt(
    dba.find_row(
        'app.projects', tests.project('Gemini', 'Globex')::text, tests.email('viewer'), null, null
    ),
    null, 'a DBA finds a row of any tenant'
);
select results_eq(
    $$ select database_role, sealed from dba.whoami() $$, $$ values ('saas_dba', false) $$,
    'and is nobody again'
);
select tests.as_superuser();
select results_eq(
    $$
    select e.organisation_id, e.target_id, e.changes #>> '{role,new}' from audit.events as e
    where e.action = 'dba.impersonated' and e.occurred_at = now()
    order by e.audit_event_id desc limit 1
    $$,
    $$ values (tests.organisation('Globex'), tests.organisation('Globex'), 'owner') $$,
    'a row that is found is an event of its organisation, whoever asked'
);
rollback to found;
set local role saas_dba;

-- Nothing stays.
select results_eq(
    $$ select database_role, sealed, read_only from dba.whoami() $$,
    $$ values ('saas_dba', false, false) $$,
    'a DBA who has looked is nobody again'
);
select tests.as_superuser();
select is(
    (
        select count(*) filter (where action = 'dba.impersonated' and actor_type = 'database_role')
        from audit.events where request_id like 'dba:%' and occurred_at = now()
    ),
    50::bigint,
    'each look is one event, and one of who saw the row; what was tried on the way is none'
);
select is(
    pg_temp.verdict('app.gadgets', tests.project('unsized')::text, 'viewer', 'select'),
    'hidden: viewer@acme.example is a viewer of Acme of the tests, and no policy opens it (small)',
    'a superuser finds a row that nobody sees, and null is no yes'
);

select tests.as('owner');
select throws_ok(
    $$ select * from dba.explain_access('app.projects', 'x', 'owner@acme.example') $$, '42501', null,
    'an owner may not ask for explanations'
);

select * from finish();
rollback;
