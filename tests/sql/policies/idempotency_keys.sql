begin;
select plan(110);

-- All that is granted.
select results_eq(
    $$ select * from tests.grants('app.idempotency_keys') $$,
    array[
        'saas_api: INSERT of organisation_id, principal_id, endpoint, idempotency_key, request',
        'saas_api: SELECT',
        'saas_api: UPDATE of request, response'
    ],
    'app.idempotency_keys is granted to whom it must be and to nobody else'
);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
insert into app.users (user_id, email) values (tests.user_id('other'), 'other@acme.example');
insert into app.idempotency_keys (
    organisation_id, principal_id, endpoint, idempotency_key, request, response
)
select o.organisation_id, p.principal_id, 'e', 'k', '{}', '{"secret of": "the principal"}'
from
    (values (tests.organisation()), (tests.organisation('Globex')), (md5('')::uuid)) as x (organisation_id)
    cross join lateral (
        select case x.organisation_id
            when md5('')::uuid then '00000000-0000-0000-0000-000000000000'::uuid
            else x.organisation_id
        end
    ) as o (organisation_id)
    cross join lateral (
        select tests.user_id(a.actor, g.name)
        from
            unnest(array['owner', 'admin', 'member', 'viewer', 'api_key', 'stranger']) as a (actor),
            unnest(array['Acme', 'Globex']) as g (name)
    ) as p (principal_id);

-- Of a table's owner, who reads across tenants: the rows of this play.
create function pg_temp.principals()
returns uuid []
language sql
as $$
    select array_agg(tests.user_id(a.actor, g.name))
    from
        unnest(array['owner', 'admin', 'member', 'viewer', 'api_key', 'stranger', 'other']) as a (actor),
        unnest(array['Acme', 'Globex']) as g (name);
$$;

-- An owner.
select tests.as('owner');
select results_eq(
    'select organisation_id, principal_id from app.idempotency_keys',
    $$ values (tests.organisation(), tests.user_id('owner')) $$,
    'an owner reads their own keys in the organisation and no other'
);
select lives_ok(
    $$
    insert into app.idempotency_keys (organisation_id, principal_id, endpoint, idempotency_key, request)
    values (tests.organisation(), tests.user_id('owner'), 'e', 'new', '{}')
    $$,
    'an owner claims a key in the organisation'
);
select throws_ok(
    $$
    insert into app.idempotency_keys (organisation_id, principal_id, endpoint, idempotency_key, request)
    values (tests.organisation('Globex'), tests.user_id('owner'), 'e', 'new', '{}')
    $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "idempotency_keys"',
    'an owner may not claim a key in another organisation'
);
select throws_ok(
    $$
    insert into app.idempotency_keys (organisation_id, principal_id, endpoint, idempotency_key, request)
    values (tests.organisation(), tests.user_id('other'), 'e', 'new', '{}')
    $$,
    '42501', 'new row violates row-level security policy for table "idempotency_keys"',
    'an owner may not claim a key for another'
);
select results_eq(
    $$ update app.idempotency_keys set response = '{}' where idempotency_key = 'k' returning principal_id $$,
    array[tests.user_id('owner')],
    'an owner keeps an answer of their own and changes no other'
);
select throws_ok(
    format('update app.idempotency_keys set %I = %I', c.name, c.name),
    '42501', 'permission denied for table idempotency_keys',
    format('an owner may not change %s of a key', c.name)
)
from unnest(array[
    'organisation_id', 'principal_id', 'endpoint', 'idempotency_key', 'created_at'
]) as c (name);
select tests.may_not_delete_or_stop('an owner', 'app.idempotency_keys');

-- An admin.
select tests.as('admin');
select results_eq(
    'select organisation_id, principal_id from app.idempotency_keys',
    $$ values (tests.organisation(), tests.user_id('admin')) $$,
    'an admin reads their own keys in the organisation and no other'
);
select lives_ok(
    $$
    insert into app.idempotency_keys (organisation_id, principal_id, endpoint, idempotency_key, request)
    values (tests.organisation(), tests.user_id('admin'), 'e', 'new', '{}')
    $$,
    'an admin claims a key in the organisation'
);
select throws_ok(
    $$
    insert into app.idempotency_keys (organisation_id, principal_id, endpoint, idempotency_key, request)
    values (tests.organisation('Globex'), tests.user_id('admin'), 'e', 'new', '{}')
    $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "idempotency_keys"',
    'an admin may not claim a key in another organisation'
);
select throws_ok(
    $$
    insert into app.idempotency_keys (organisation_id, principal_id, endpoint, idempotency_key, request)
    values (tests.organisation(), tests.user_id('other'), 'e', 'new', '{}')
    $$,
    '42501', 'new row violates row-level security policy for table "idempotency_keys"',
    'an admin may not claim a key for another'
);
select results_eq(
    $$ update app.idempotency_keys set response = '{}' where idempotency_key = 'k' returning principal_id $$,
    array[tests.user_id('admin')],
    'an admin keeps an answer of their own and changes no other'
);
select throws_ok(
    format('update app.idempotency_keys set %I = %I', c.name, c.name),
    '42501', 'permission denied for table idempotency_keys',
    format('an admin may not change %s of a key', c.name)
)
from unnest(array[
    'organisation_id', 'principal_id', 'endpoint', 'idempotency_key', 'created_at'
]) as c (name);
select tests.may_not_delete_or_stop('an admin', 'app.idempotency_keys');

-- A member.
select tests.as('member');
select results_eq(
    'select organisation_id, principal_id from app.idempotency_keys',
    $$ values (tests.organisation(), tests.user_id('member')) $$,
    'a member reads their own keys in the organisation and no other'
);
select lives_ok(
    $$
    insert into app.idempotency_keys (organisation_id, principal_id, endpoint, idempotency_key, request)
    values (tests.organisation(), tests.user_id('member'), 'e', 'new', '{}')
    $$,
    'a member claims a key in the organisation'
);
select throws_ok(
    $$
    insert into app.idempotency_keys (organisation_id, principal_id, endpoint, idempotency_key, request)
    values (tests.organisation('Globex'), tests.user_id('member'), 'e', 'new', '{}')
    $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "idempotency_keys"',
    'a member may not claim a key in another organisation'
);
select throws_ok(
    $$
    insert into app.idempotency_keys (organisation_id, principal_id, endpoint, idempotency_key, request)
    values (tests.organisation(), tests.user_id('other'), 'e', 'new', '{}')
    $$,
    '42501', 'new row violates row-level security policy for table "idempotency_keys"',
    'a member may not claim a key for another'
);
select results_eq(
    $$ update app.idempotency_keys set response = '{}' where idempotency_key = 'k' returning principal_id $$,
    array[tests.user_id('member')],
    'a member keeps an answer of their own and changes no other'
);
select throws_ok(
    format('update app.idempotency_keys set %I = %I', c.name, c.name),
    '42501', 'permission denied for table idempotency_keys',
    format('a member may not change %s of a key', c.name)
)
from unnest(array[
    'organisation_id', 'principal_id', 'endpoint', 'idempotency_key', 'created_at'
]) as c (name);
select tests.may_not_delete_or_stop('a member', 'app.idempotency_keys');

-- A viewer.
select tests.as('viewer');
select results_eq(
    'select organisation_id, principal_id from app.idempotency_keys',
    $$ values (tests.organisation(), tests.user_id('viewer')) $$,
    'a viewer reads their own keys in the organisation and no other'
);
select lives_ok(
    $$
    insert into app.idempotency_keys (organisation_id, principal_id, endpoint, idempotency_key, request)
    values (tests.organisation(), tests.user_id('viewer'), 'e', 'new', '{}')
    $$,
    'a viewer claims a key in the organisation'
);
select throws_ok(
    $$
    insert into app.idempotency_keys (organisation_id, principal_id, endpoint, idempotency_key, request)
    values (tests.organisation('Globex'), tests.user_id('viewer'), 'e', 'new', '{}')
    $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "idempotency_keys"',
    'a viewer may not claim a key in another organisation'
);
select throws_ok(
    $$
    insert into app.idempotency_keys (organisation_id, principal_id, endpoint, idempotency_key, request)
    values (tests.organisation(), tests.user_id('other'), 'e', 'new', '{}')
    $$,
    '42501', 'new row violates row-level security policy for table "idempotency_keys"',
    'a viewer may not claim a key for another'
);
select results_eq(
    $$ update app.idempotency_keys set response = '{}' where idempotency_key = 'k' returning principal_id $$,
    array[tests.user_id('viewer')],
    'a viewer keeps an answer of their own and changes no other'
);
select throws_ok(
    format('update app.idempotency_keys set %I = %I', c.name, c.name),
    '42501', 'permission denied for table idempotency_keys',
    format('a viewer may not change %s of a key', c.name)
)
from unnest(array[
    'organisation_id', 'principal_id', 'endpoint', 'idempotency_key', 'created_at'
]) as c (name);
select tests.may_not_delete_or_stop('a viewer', 'app.idempotency_keys');

-- An API key.
select tests.as('api_key');
select results_eq(
    'select organisation_id, principal_id from app.idempotency_keys',
    $$ values (tests.organisation(), tests.user_id('api_key')) $$,
    'an API key reads their own keys in the organisation and no other'
);
select lives_ok(
    $$
    insert into app.idempotency_keys (organisation_id, principal_id, endpoint, idempotency_key, request)
    values (tests.organisation(), tests.user_id('api_key'), 'e', 'new', '{}')
    $$,
    'an API key claims a key in the organisation'
);
select throws_ok(
    $$
    insert into app.idempotency_keys (organisation_id, principal_id, endpoint, idempotency_key, request)
    values (tests.organisation('Globex'), tests.user_id('api_key'), 'e', 'new', '{}')
    $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "idempotency_keys"',
    'an API key may not claim a key in another organisation'
);
select throws_ok(
    $$
    insert into app.idempotency_keys (organisation_id, principal_id, endpoint, idempotency_key, request)
    values (tests.organisation(), tests.user_id('other'), 'e', 'new', '{}')
    $$,
    '42501', 'new row violates row-level security policy for table "idempotency_keys"',
    'an API key may not claim a key for another'
);
select results_eq(
    $$ update app.idempotency_keys set response = '{}' where idempotency_key = 'k' returning principal_id $$,
    array[tests.user_id('api_key')],
    'an API key keeps an answer of their own and changes no other'
);
select throws_ok(
    format('update app.idempotency_keys set %I = %I', c.name, c.name),
    '42501', 'permission denied for table idempotency_keys',
    format('an API key may not change %s of a key', c.name)
)
from unnest(array[
    'organisation_id', 'principal_id', 'endpoint', 'idempotency_key', 'created_at'
]) as c (name);
select tests.may_not_delete_or_stop('an API key', 'app.idempotency_keys');

-- A stranger.
select tests.as('stranger');
select results_eq(
    'select organisation_id, principal_id from app.idempotency_keys',
    $$ values ('00000000-0000-0000-0000-000000000000'::uuid, tests.user_id('stranger')) $$,
    'a stranger reads their own keys in no organisation and no other'
);
select lives_ok(
    $$
    insert into app.idempotency_keys (organisation_id, principal_id, endpoint, idempotency_key, request)
    values ('00000000-0000-0000-0000-000000000000'::uuid, tests.user_id('stranger'), 'e', 'new', '{}')
    $$,
    'a stranger claims a key in no organisation'
);
select throws_ok(
    $$
    insert into app.idempotency_keys (organisation_id, principal_id, endpoint, idempotency_key, request)
    values (tests.organisation('Globex'), tests.user_id('stranger'), 'e', 'new', '{}')
    $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "idempotency_keys"',
    'a stranger may not claim a key in another organisation'
);
select throws_ok(
    $$
    insert into app.idempotency_keys (organisation_id, principal_id, endpoint, idempotency_key, request)
    values ('00000000-0000-0000-0000-000000000000'::uuid, tests.user_id('other'), 'e', 'new', '{}')
    $$,
    '42501', 'new row violates row-level security policy for table "idempotency_keys"',
    'a stranger may not claim a key for another'
);
select results_eq(
    $$ update app.idempotency_keys set response = '{}' where idempotency_key = 'k' returning principal_id $$,
    array[tests.user_id('stranger')],
    'a stranger keeps an answer of their own and changes no other'
);
select throws_ok(
    format('update app.idempotency_keys set %I = %I', c.name, c.name),
    '42501', 'permission denied for table idempotency_keys',
    format('a stranger may not change %s of a key', c.name)
)
from unnest(array[
    'organisation_id', 'principal_id', 'endpoint', 'idempotency_key', 'created_at'
]) as c (name);
select tests.may_not_delete_or_stop('a stranger', 'app.idempotency_keys');

-- No context, and a forged one.
select tests.as_nobody();
select throws_ok(
    'table app.idempotency_keys', 'SA401', null, 'nobody reads a key without a context'
);
select throws_ok(
    $$
    insert into app.idempotency_keys (organisation_id, principal_id, endpoint, idempotency_key, request)
    values (tests.organisation(), tests.user_id('owner'), 'e', 'new', '{}')
    $$,
    'SA401', null, 'nobody claims a key without a context'
);
select tests.as_forger('owner');
select throws_ok('table app.idempotency_keys', 'SA401', null, 'a forger reads no key');

-- The gate and the audit have no business here.
select tests.as('owner');
set local role saas_gate;
select tests.may_not_touch('the gate', 'app.idempotency_keys', 'response');
set local role saas_audit;
select tests.may_not_touch('the audit', 'app.idempotency_keys', 'response');

-- Maintenance: the role that owns the table removes what has expired, and nothing else.
select tests.as_superuser();
update app.idempotency_keys set created_at = now() - interval '24 hours'
where principal_id = tests.user_id('viewer');
update app.idempotency_keys set created_at = now() - interval '24 hours 1 second'
where principal_id = tests.user_id('member') and organisation_id = tests.organisation();
select tests.as_nobody();
set local role saas_owner;
select results_eq(
    $$
    select distinct principal_id, organisation_id from app.idempotency_keys
    where principal_id = any (pg_temp.principals())
    $$,
    $$ values (tests.user_id('member'), tests.organisation()) $$,
    'the role that owns the table reads what has expired and no other key'
);
select throws_ok(
    $$ update app.idempotency_keys set response = '{}' $$, '42501', null,
    'the role that owns the table keeps no answer'
);
select tests.as_superuser();
savepoint of_none;
update app.idempotency_keys set created_at = now() - interval '24 hours 1 second'
where principal_id = tests.user_id('member') and organisation_id not in (
    tests.organisation(), tests.organisation('Globex')
);
select tests.as_nobody();
set local role saas_owner;
select throws_ok(
    $$ update app.idempotency_keys set response = '{}'
    where organisation_id = '00000000-0000-0000-0000-000000000000' $$, '42501', null,
    'the role that owns the table keeps no answer to a request in no organisation'
);
rollback to of_none;
-- Each of the two policies that say so holds alone.
select tests.as_superuser();
create policy careless on app.idempotency_keys for all to saas_owner using (true);
select tests.as_nobody();
set local role saas_owner;
select results_eq(
    'select count(*) from app.idempotency_keys where principal_id = any (pg_temp.principals())',
    array[2::bigint],
    'the role that owns the table reads no more, were every row offered it'
);
select tests.as_superuser();
drop policy careless on app.idempotency_keys;
select tests.as('member');
set local role saas_owner;
select throws_ok(
    $$ update app.idempotency_keys set response = '{}' $$, '42501', null,
    'the role that owns the table keeps no answer in a context either'
);
select tests.as_nobody();
set local role saas_owner;
select results_eq(
    $$
    with gone as (
        delete from app.idempotency_keys where principal_id = any (pg_temp.principals()) returning 1
    )
    select count(*) from gone
    $$,
    array[2::bigint],
    'the role that owns the table clears away what has expired'
);
select tests.as_superuser();
select is(
    (
        select count(*) from app.idempotency_keys
        where principal_id = any (pg_temp.principals())
    ),
    3 * 12 + 6 - 2::bigint,
    'and nothing else is gone'
);
-- Without own_principal: whether what the API is asked is asked of others is the planner's choice.
drop policy tenant_isolation on app.idempotency_keys;
drop policy own_principal on app.idempotency_keys;
select tests.as_nobody();
set local role saas_owner;
select is_empty(
    'select from app.idempotency_keys where principal_id = any (pg_temp.principals())',
    'the role that owns the table reads no live key, were there no wall'
);

select * from finish();
rollback;
