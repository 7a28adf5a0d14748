begin;
select plan(113);

-- All that is granted.
select results_eq(
    $$ select * from tests.grants('app.memberships') $$,
    array[
        'saas_api: INSERT of organisation_id, user_id, role',
        'saas_api: SELECT',
        'saas_api: UPDATE of role',
        'saas_gate: DELETE',
        'saas_gate: INSERT of organisation_id, user_id, role',
        'saas_gate: SELECT'
    ],
    'app.memberships is granted to whom it must be and to nobody else'
);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');

-- An owner.
select tests.as('owner');
select ok(
    (select count(*) >= 4 from app.memberships)
    and not exists (
        select from app.memberships where organisation_id <> tests.organisation('Acme')
    ),
    'an owner reads the memberships of the organisation and no other'
);
select lives_ok(
    $$
    insert into app.memberships (organisation_id, user_id, role)
    values (tests.organisation('Acme'), tests.user_id('stranger', 'Globex'), 'member')
    $$,
    'an owner adds a member'
);
select throws_ok(
    $$
    insert into app.memberships (organisation_id, user_id, role)
    values (tests.organisation('Globex'), tests.user_id('stranger', 'Acme'), 'member')
    $$,
    '42501',
    'new row violates row-level security policy for table "memberships"',
    'an owner may not add a member to another organisation'
);
select results_eq(
    $$
    update app.memberships set role = 'viewer'
    where user_id = tests.user_id('stranger', 'Globex') returning role
    $$,
    array['viewer'],
    'an owner changes the role of a member'
);
select is_empty(
    $$
    update app.memberships set role = 'viewer'
    where organisation_id = tests.organisation('Globex') returning role
    $$,
    'an owner may not change a role in another organisation'
);
select lives_ok(
    $$
    insert into app.memberships (organisation_id, user_id, role)
    values (tests.organisation('Acme'), tests.user_id('stranger', 'Acme'), 'owner')
    $$,
    'an owner adds an owner'
);
select results_eq(
    $$
    update app.memberships set role = 'admin' where user_id = tests.user_id('stranger')
    returning role
    $$,
    array['admin'],
    'an owner downgrades another owner'
);
select results_eq(
    $$
    update app.memberships set role = 'owner' where user_id = tests.user_id('stranger')
    returning role
    $$,
    array['owner'],
    'an owner makes an admin an owner'
);
select tests.may_not_delete_or_stop('an owner', 'app.memberships');

-- An admin.
select tests.as('admin');
select ok(
    (select count(*) >= 4 from app.memberships)
    and not exists (
        select from app.memberships where organisation_id <> tests.organisation('Acme')
    ),
    'an admin reads the memberships of the organisation and no other'
);
select lives_ok(
    $$
    insert into app.memberships (organisation_id, user_id, role)
    values (tests.organisation('Acme'), tests.user_id('member', 'Globex'), 'member')
    $$,
    'an admin adds a member'
);
select throws_ok(
    $$
    insert into app.memberships (organisation_id, user_id, role)
    values (tests.organisation('Globex'), tests.user_id('stranger', 'Acme'), 'member')
    $$,
    '42501',
    'new row violates row-level security policy for table "memberships"',
    'an admin may not add a member to another organisation'
);
select results_eq(
    $$
    update app.memberships set role = 'viewer'
    where user_id = tests.user_id('member', 'Globex') returning role
    $$,
    array['viewer'],
    'an admin changes the role of a member'
);
select is_empty(
    $$
    update app.memberships set role = 'viewer'
    where organisation_id = tests.organisation('Globex') returning role
    $$,
    'an admin may not change a role in another organisation'
);
select throws_ok(
    $$
    insert into app.memberships (organisation_id, user_id, role)
    values (tests.organisation('Acme'), tests.user_id('admin', 'Globex'), 'owner')
    $$,
    '42501', 'new row violates row-level security policy for table "memberships"',
    'an admin may not add an owner'
);
select throws_ok(
    $$ update app.memberships set role = 'owner' where user_id = tests.user_id('member') $$,
    '42501', 'new row violates row-level security policy for table "memberships"',
    'an admin may not make a member an owner'
);
select throws_ok(
    $$ update app.memberships set role = 'owner' where user_id = tests.user_id('admin') $$,
    '42501', 'new row violates row-level security policy for table "memberships"',
    'an admin may not make themself an owner'
);
select is_empty(
    $$ update app.memberships set role = 'admin' where role = 'owner' returning role $$,
    'an admin may not downgrade an owner'
);
select tests.may_not_delete_or_stop('an admin', 'app.memberships');

-- A member.
select tests.as('member');
select is_empty('select role from app.memberships', 'a member reads no membership');
select throws_ok(
    $$
    insert into app.memberships (organisation_id, user_id, role)
    values (tests.organisation('Acme'), tests.user_id('stranger', 'Acme'), 'viewer')
    $$,
    '42501', null,
    'a member may not add a member'
);
select throws_ok(
    $$
    insert into app.memberships (organisation_id, user_id, role)
    values (tests.organisation('Globex'), tests.user_id('stranger', 'Acme'), 'viewer')
    $$,
    '42501', null,
    'a member may not add a member to another organisation'
);
select is_empty(
    $$ update app.memberships set role = 'viewer' returning role $$,
    'a member may not change a role'
);
select is_empty(
    'select role from app.memberships for update', 'a member may not lock the row of a membership'
);
select tests.may_not_delete_or_stop('a member', 'app.memberships');

-- A viewer.
select tests.as('viewer');
select is_empty('select role from app.memberships', 'a viewer reads no membership');
select throws_ok(
    $$
    insert into app.memberships (organisation_id, user_id, role)
    values (tests.organisation('Acme'), tests.user_id('stranger', 'Acme'), 'viewer')
    $$,
    '42501', null,
    'a viewer may not add a member'
);
select throws_ok(
    $$
    insert into app.memberships (organisation_id, user_id, role)
    values (tests.organisation('Globex'), tests.user_id('stranger', 'Acme'), 'viewer')
    $$,
    '42501', null,
    'a viewer may not add a member to another organisation'
);
select is_empty(
    $$ update app.memberships set role = 'viewer' returning role $$,
    'a viewer may not change a role'
);
select is_empty(
    'select role from app.memberships for update', 'a viewer may not lock the row of a membership'
);
select tests.may_not_delete_or_stop('a viewer', 'app.memberships');

-- An API key.
select tests.as('api_key');
select is_empty('select role from app.memberships', 'an API key reads no membership');
select throws_ok(
    $$
    insert into app.memberships (organisation_id, user_id, role)
    values (tests.organisation('Acme'), tests.user_id('stranger', 'Acme'), 'viewer')
    $$,
    '42501', null,
    'an API key may not add a member'
);
select throws_ok(
    $$
    insert into app.memberships (organisation_id, user_id, role)
    values (tests.organisation('Globex'), tests.user_id('stranger', 'Acme'), 'viewer')
    $$,
    '42501', null,
    'an API key may not add a member to another organisation'
);
select is_empty(
    $$ update app.memberships set role = 'viewer' returning role $$,
    'an API key may not change a role'
);
select is_empty(
    'select role from app.memberships for update', 'an API key may not lock the row of a membership'
);
select tests.may_not_delete_or_stop('an API key', 'app.memberships');

-- A stranger.
select tests.as('stranger');
select is_empty('select role from app.memberships', 'a stranger reads no membership');
select throws_ok(
    $$
    insert into app.memberships (organisation_id, user_id, role)
    values (tests.organisation('Acme'), tests.user_id('stranger', 'Acme'), 'viewer')
    $$,
    '42501', null,
    'a stranger may not add a member'
);
select throws_ok(
    $$
    insert into app.memberships (organisation_id, user_id, role)
    values (tests.organisation('Globex'), tests.user_id('stranger', 'Acme'), 'viewer')
    $$,
    '42501', null,
    'a stranger may not add a member to another organisation'
);
select is_empty(
    $$ update app.memberships set role = 'viewer' returning role $$,
    'a stranger may not change a role'
);
select is_empty(
    'select role from app.memberships for update', 'a stranger may not lock the row of a membership'
);
select tests.may_not_delete_or_stop('a stranger', 'app.memberships');

-- No context.
select tests.as_nobody();
select throws_ok(
    'select role from app.memberships', 'SA401', null,
    'nobody reads a membership without a context'
);
select throws_ok(
    $$
    insert into app.memberships (organisation_id, user_id, role)
    values (tests.organisation('Acme'), tests.user_id('stranger', 'Globex'), 'viewer')
    $$,
    'SA401', null,
    'nobody adds a member without a context'
);
select throws_ok(
    $$ update app.memberships set role = 'owner' $$, 'SA401', null,
    'nobody changes a role without a context'
);
select tests.may_not_delete_or_stop('nobody', 'app.memberships');

-- A forged context.
select tests.as_forger('owner');
select throws_ok('select role from app.memberships', 'SA401', null, 'a forger reads no membership');
select throws_ok(
    $$
    insert into app.memberships (organisation_id, user_id, role)
    values (tests.organisation('Acme'), tests.user_id('stranger', 'Globex'), 'owner')
    $$,
    'SA401', null,
    'a forger may not add a member'
);
select throws_ok(
    $$ update app.memberships set role = 'owner' $$, 'SA401', null,
    'a forger may not change a role'
);
select tests.as('admin');
select set_config('app.role', 'owner', true);
select throws_ok(
    $$ update app.memberships set role = 'owner' where user_id = tests.user_id('admin') $$,
    'SA401', null,
    'an admin who writes owner into the context may not become one'
);

-- Columns.
select tests.as('owner');
select throws_ok(
    format(
        'insert into app.memberships (organisation_id, user_id, role, %I) '
        'values (%L, %L, %L, default)',
        c.name, tests.organisation(), tests.user_id('admin', 'Globex'), 'viewer'
    ),
    '42501', 'permission denied for table memberships',
    format('an owner may not set %s of a new membership', c.name)
)
from unnest(array['created_at', 'updated_at']) as c (name);
select throws_ok(
    format('update app.memberships set %I = %I', c.name, c.name),
    '42501', 'permission denied for table memberships',
    format('an owner may not change %s of a membership', c.name)
)
from unnest(array['organisation_id', 'user_id', 'created_at', 'updated_at']) as c (name);

-- The owner of the table.
select tests.as('owner');
set local role saas_owner;
select is_empty(
    'select role from app.memberships', 'the role that owns the table reads no membership, in whatever context'
);

-- The audit has no business here.
set local role saas_audit;
select tests.may_not_touch('the audit', 'app.memberships', 'role');

-- The gate reads all, to find out who a caller is.
select tests.as_nobody();
set local role saas_gate;
select ok(
    (
        select count(distinct organisation_id) = 2 from app.memberships
        where organisation_id in (tests.organisation(), tests.organisation('Globex'))
    ),
    'the gate reads every membership, without a context too'
);

-- The gate adds nobody but a founder.
select tests.as('stranger', 'Globex');
set local role saas_gate;
select throws_ok(
    $$
    insert into app.memberships (organisation_id, user_id, role)
    values (tests.organisation('Acme'), tests.user_id('stranger', 'Globex'), 'owner')
    $$,
    '42501',
    'new row violates row-level security policy "tenant_isolation" for table "memberships"',
    'the gate makes a stranger no owner of an organisation not entered'
);
select tests.as('owner');
set local role saas_gate;
select throws_ok(
    $$
    insert into app.memberships (organisation_id, user_id, role)
    values (tests.organisation('Acme'), tests.user_id('viewer', 'Globex'), 'owner')
    $$,
    '42501', 'new row violates row-level security policy for table "memberships"',
    'the gate makes nobody but the caller an owner'
);
select throws_ok(
    $$
    insert into app.memberships (organisation_id, user_id, role)
    values (tests.organisation('Acme'), tests.user_id('owner', 'Acme'), 'admin')
    $$,
    '42501', 'new row violates row-level security policy for table "memberships"',
    'the gate makes the caller nothing but an owner'
);
select throws_ok(
    format(
        'insert into app.memberships (organisation_id, user_id, role, %I) '
        'values (%L, %L, %L, default)',
        c.name, tests.organisation(), tests.user_id('owner'), 'owner'
    ),
    '42501', 'permission denied for table memberships',
    format('the gate may not set %s of a new membership', c.name)
)
from unnest(array['created_at', 'updated_at']) as c (name);
select throws_ok(
    format('update app.memberships set %I = %I', c.name, c.name),
    '42501', 'permission denied for table memberships',
    format('the gate may not change %s of a membership', c.name)
)
from unnest(array['organisation_id', 'user_id', 'role', 'created_at', 'updated_at']) as c (name);

-- Whom the gate removes for whom. (Acme has two owners and two Globex people by now.)
select tests.as('api_key');
set local role saas_gate;
select is_empty(
    'delete from app.memberships returning role', 'the gate removes nobody for an API key'
);
select tests.as('stranger');
set local role saas_gate;
select is_empty(
    'delete from app.memberships returning role', 'the gate removes nobody for a stranger'
);
select tests.as('viewer');
set local role saas_gate;
select results_eq(
    'delete from app.memberships returning user_id', array[tests.user_id('viewer')],
    'the gate removes nobody but themself for a viewer'
);
select tests.as('member');
set local role saas_gate;
select results_eq(
    'delete from app.memberships returning user_id', array[tests.user_id('member')],
    'the gate removes nobody but themself for a member'
);
select tests.as('admin');
set local role saas_gate;
select is_empty(
    $$ delete from app.memberships where role = 'owner' returning role $$,
    'the gate removes no owner for an admin'
);
select results_eq(
    $$
    with gone as (
        delete from app.memberships where user_id <> tests.user_id('admin') returning user_id
    )
    select user_id from gone order by user_id
    $$,
    $$
    values (tests.user_id('stranger', 'Globex')), (tests.user_id('member', 'Globex')) order by 1
    $$,
    'the gate removes those who are no owners for an admin'
);
select tests.as('owner');
set local role saas_gate;
select results_eq(
    $$
    with gone as (
        delete from app.memberships where user_id <> tests.user_id('owner') returning user_id
    )
    select user_id from gone order by user_id
    $$,
    $$ values (tests.user_id('admin')), (tests.user_id('stranger')) order by 1 $$,
    'the gate removes admins and other owners for an owner'
);
select tests.as_nobody();
set local role saas_gate;
select throws_ok(
    'delete from app.memberships', 'SA401', null, 'the gate removes nobody without a context'
);

-- Nothing of all this has reached the other organisation.
select tests.as_superuser();
select results_eq(
    $$
    select user_id from app.memberships
    where organisation_id = tests.organisation('Globex') and user_id = tests.user_id(role, 'Globex')
    order by role
    $$,
    $$
    select tests.user_id(r.role, 'Globex')
    from (values (1, 'admin'), (2, 'member'), (3, 'owner'), (4, 'viewer')) as r (n, role)
    order by r.n
    $$,
    'nobody of Acme has changed a membership of Globex'
);

-- Each half of a policy holds alone.
insert into app.memberships (organisation_id, user_id, role)
values
    (tests.organisation(), tests.user_id('viewer'), 'viewer'),
    (tests.organisation(), tests.user_id('member'), 'member'),
    (tests.organisation(), tests.user_id('admin'), 'admin');
alter policy read_admin on app.memberships using (true);
select tests.as('viewer');
select is_empty(
    $$ update app.memberships set role = 'viewer' returning role $$,
    'a viewer may not change a role, were every row there to be read'
);
select tests.as_superuser();
alter policy update_admin on app.memberships using (true);
alter policy update_owner on app.memberships using (true);
select tests.as('viewer');
select throws_ok(
    $$ update app.memberships set role = 'admin' where user_id = tests.user_id('viewer') $$,
    '42501', 'new row violates row-level security policy for table "memberships"',
    'a viewer may not become an admin, were every row offered for update'
);
select throws_ok(
    $$ update app.memberships set role = 'owner' where user_id = tests.user_id('viewer') $$,
    '42501', 'new row violates row-level security policy for table "memberships"',
    'a viewer may not become an owner, were every row offered for update'
);
select tests.as_superuser();
create policy careless on app.memberships for all to public using (true) with check (true);
grant update (organisation_id) on table app.memberships to saas_api;
select tests.as('viewer');
select is_empty(
    'select role from app.memberships where organisation_id <> tests.organisation()',
    'a viewer reads no membership of another organisation, were a careless policy added'
);
select is_empty(
    $$
    update app.memberships set role = 'viewer' where organisation_id <> tests.organisation()
    returning role
    $$,
    'a viewer changes no membership of another organisation, were a careless policy added'
);
select throws_ok(
    $$
    update app.memberships set organisation_id = tests.organisation('Globex')
    where user_id = tests.user_id('viewer')
    $$,
    '42501',
    'new row violates row-level security policy "tenant_isolation" for table "memberships"',
    'a viewer does not move to another organisation, were a careless policy added'
);

select * from finish();
rollback;
