begin;
select plan(92);

-- All that is granted.
select results_eq(
    $$ select * from tests.grants('app.users') $$,
    array[
        'saas_api: SELECT',
        'saas_gate: INSERT of user_id, email, display_name'
    ],
    'app.users is granted to whom it must be and to nobody else'
);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');

-- An owner.
select tests.as('owner');
select results_eq(
    'select email from app.users order by email',
    $$
    select tests.email(r.role)
    from unnest(array['admin', 'member', 'owner', 'viewer']) as r (role)
    $$,
    'an owner reads the users who are members and no other'
);
select throws_ok(
    $$ insert into app.users (email) values ('x@x.example') $$,
    '42501', 'permission denied for table users',
    'an owner may not open an account past the gate'
);
select throws_ok(
    format('update app.users set %I = %I', c.name, c.name),
    '42501', 'permission denied for table users',
    format('an owner may not change %s of a user', c.name)
)
from unnest(array['user_id', 'email', 'display_name', 'created_at']) as c (name);
select tests.may_not_delete_or_stop('an owner', 'app.users');

-- An admin.
select tests.as('admin');
select results_eq(
    'select email from app.users order by email',
    $$
    select tests.email(r.role)
    from unnest(array['admin', 'member', 'owner', 'viewer']) as r (role)
    $$,
    'an admin reads the users who are members and no other'
);
select throws_ok(
    $$ insert into app.users (email) values ('x@x.example') $$,
    '42501', 'permission denied for table users',
    'an admin may not open an account past the gate'
);
select throws_ok(
    format('update app.users set %I = %I', c.name, c.name),
    '42501', 'permission denied for table users',
    format('an admin may not change %s of a user', c.name)
)
from unnest(array['user_id', 'email', 'display_name', 'created_at']) as c (name);
select tests.may_not_delete_or_stop('an admin', 'app.users');

-- A member.
select tests.as('member');
select results_eq(
    'select email from app.users', array[tests.email('member')],
    'a member reads themself and no other user'
);
select throws_ok(
    $$ insert into app.users (email) values ('x@x.example') $$,
    '42501', 'permission denied for table users',
    'a member may not open an account past the gate'
);
select throws_ok(
    format('update app.users set %I = %I', c.name, c.name),
    '42501', 'permission denied for table users',
    format('a member may not change %s of a user', c.name)
)
from unnest(array['user_id', 'email', 'display_name', 'created_at']) as c (name);
select tests.may_not_delete_or_stop('a member', 'app.users');

-- A viewer.
select tests.as('viewer');
select results_eq(
    'select email from app.users', array[tests.email('viewer')],
    'a viewer reads themself and no other user'
);
select throws_ok(
    $$ insert into app.users (email) values ('x@x.example') $$,
    '42501', 'permission denied for table users',
    'a viewer may not open an account past the gate'
);
select throws_ok(
    format('update app.users set %I = %I', c.name, c.name),
    '42501', 'permission denied for table users',
    format('a viewer may not change %s of a user', c.name)
)
from unnest(array['user_id', 'email', 'display_name', 'created_at']) as c (name);
select tests.may_not_delete_or_stop('a viewer', 'app.users');

-- An API key.
select tests.as('api_key');
select is_empty('select email from app.users', 'an API key reads no user');
select throws_ok(
    $$ insert into app.users (email) values ('x@x.example') $$,
    '42501', 'permission denied for table users',
    'an API key may not open an account past the gate'
);
select throws_ok(
    format('update app.users set %I = %I', c.name, c.name),
    '42501', 'permission denied for table users',
    format('an API key may not change %s of a user', c.name)
)
from unnest(array['user_id', 'email', 'display_name', 'created_at']) as c (name);
select tests.may_not_delete_or_stop('an API key', 'app.users');

-- A stranger.
select tests.as('stranger');
select results_eq(
    'select email from app.users', array[tests.email('stranger')],
    'a stranger reads themself and no other user'
);
select throws_ok(
    $$ insert into app.users (email) values ('x@x.example') $$,
    '42501', 'permission denied for table users',
    'a stranger may not open an account past the gate'
);
select throws_ok(
    format('update app.users set %I = %I', c.name, c.name),
    '42501', 'permission denied for table users',
    format('a stranger may not change %s of a user', c.name)
)
from unnest(array['user_id', 'email', 'display_name', 'created_at']) as c (name);
select tests.may_not_delete_or_stop('a stranger', 'app.users');

-- No context, and a forged one.
select tests.as_nobody();
select throws_ok(
    'select email from app.users', 'SA401', null, 'nobody reads a user without a context'
);
select throws_ok(
    $$ select from app.users where email = 'none@acme.example' $$, 'SA401', null,
    'nobody learns without a context that an email is not there'
);
select tests.may_not_delete_or_stop('nobody', 'app.users');
select tests.as_forger('owner');
select throws_ok('select email from app.users', 'SA401', null, 'a forger reads no user');
select throws_ok(
    $$ select from app.users where email = 'none@acme.example' $$, 'SA401', null,
    'a forger learns no more than that'
);
select tests.as('viewer');
select set_config('app.user_id', tests.user_id('owner')::text, true);
select throws_ok(
    'select email from app.users', 'SA401', null,
    'a viewer who writes another user into the context reads no user'
);

-- The owner of the table.
select tests.as('owner');
set local role saas_owner;
select is_empty(
    'select email from app.users',
    'the role that owns the table reads no user, in whatever context'
);

-- The audit has no business here.
set local role saas_audit;
select tests.may_not_touch('the audit', 'app.users', 'display_name');

-- The gate reads all, and opens an account for the user of the context alone.
select tests.as_nobody();
set local role saas_gate;
select throws_ok(
    'select from app.users', '42501', 'permission denied for table users',
    'the gate reads no user: a login finds its password by the digest of the email'
);
select throws_ok(
    $$ insert into app.users (user_id, email) values (tests.user_id('new'), 'x@x.example') $$,
    'SA401', null,
    'the gate opens no account without a context'
);
select tests.as('owner');
set local role saas_gate;
select throws_ok(
    $$ insert into app.users (user_id, email) values (tests.user_id('new'), 'x@x.example') $$,
    '42501', 'new row violates row-level security policy for table "users"',
    'the gate opens no account of another user'
);
select throws_ok(
    $$ insert into app.users (email, created_at) values ('x@x.example', default) $$,
    '42501', 'permission denied for table users',
    'the gate may not set created_at of a new user'
);
select throws_ok(
    format('update app.users set %I = %I', c.name, c.name),
    '42501', 'permission denied for table users',
    format('the gate may not change %s of a user', c.name)
)
from unnest(array['user_id', 'email', 'display_name', 'created_at']) as c (name);
select tests.may_not_delete_or_stop('the gate', 'app.users');

-- Each part of a policy holds alone.
select tests.as_superuser();
drop policy tenant_isolation on app.memberships;
select tests.as('admin');
select is(
    (select count(*) from app.users), 4::bigint,
    'an admin reads no user of another organisation, were the wall of memberships gone'
);

select tests.as_nobody();
select throws_ok(
    'select from app.users where user_id = gen_random_uuid()', 'SA401', null,
    'nobody is told apart from no user: an id that is not there is an error without a context, too'
);

select * from finish();
rollback;
