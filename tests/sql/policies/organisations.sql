begin;
select plan(87);

-- All that is granted.
select results_eq(
    $$ select * from tests.grants('app.organisations') $$,
    array[
        'saas_api: SELECT',
        'saas_api: UPDATE of name',
        'saas_gate: INSERT of organisation_id, name',
        'saas_gate: SELECT',
        'saas_gate: UPDATE of name'
    ],
    'app.organisations is granted to whom it must be and to nobody else'
);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');

-- An owner.
select tests.as('owner');
select results_eq(
    'select organisation_id from app.organisations', array[tests.organisation('Acme')],
    'an owner reads the organisation and no other'
);
select results_eq(
    $$ update app.organisations set name = 'Acme of the owner' returning name $$,
    array['Acme of the owner'],
    'an owner renames the organisation and no other'
);
select is_empty(
    $$
    update app.organisations set name = 'x' where organisation_id = tests.organisation('Globex')
    returning name
    $$,
    'an owner may not rename another organisation'
);
select throws_ok(
    $$
    insert into app.organisations (organisation_id, name)
    values (tests.organisation('New'), 'x')
    $$,
    '42501', 'permission denied for table organisations',
    'an owner may not found an organisation past the gate'
);
select tests.may_not_delete_or_stop('an owner', 'app.organisations');

-- An admin.
select tests.as('admin');
select results_eq(
    'select organisation_id from app.organisations', array[tests.organisation('Acme')],
    'an admin reads the organisation and no other'
);
select results_eq(
    $$ update app.organisations set name = 'Acme of the admin' returning name $$,
    array['Acme of the admin'],
    'an admin renames the organisation and no other'
);
select is_empty(
    $$
    update app.organisations set name = 'x' where organisation_id = tests.organisation('Globex')
    returning name
    $$,
    'an admin may not rename another organisation'
);
select throws_ok(
    $$
    insert into app.organisations (organisation_id, name)
    values (tests.organisation('New'), 'x')
    $$,
    '42501', 'permission denied for table organisations',
    'an admin may not found an organisation past the gate'
);
select tests.may_not_delete_or_stop('an admin', 'app.organisations');

-- A member.
select tests.as('member');
select results_eq(
    'select organisation_id from app.organisations', array[tests.organisation('Acme')],
    'a member reads the organisation and no other'
);
select is_empty(
    $$ update app.organisations set name = 'x' returning name $$,
    'a member may not rename the organisation'
);
select is_empty(
    'select name from app.organisations for update',
    'a member may not lock the row of the organisation'
);
select throws_ok(
    $$
    insert into app.organisations (organisation_id, name)
    values (tests.organisation('New'), 'x')
    $$,
    '42501', 'permission denied for table organisations',
    'a member may not found an organisation past the gate'
);
select tests.may_not_delete_or_stop('a member', 'app.organisations');

-- A viewer.
select tests.as('viewer');
select results_eq(
    'select organisation_id from app.organisations', array[tests.organisation('Acme')],
    'a viewer reads the organisation and no other'
);
select is_empty(
    $$ update app.organisations set name = 'x' returning name $$,
    'a viewer may not rename the organisation'
);
select is_empty(
    'select name from app.organisations for update',
    'a viewer may not lock the row of the organisation'
);
select throws_ok(
    $$
    insert into app.organisations (organisation_id, name)
    values (tests.organisation('New'), 'x')
    $$,
    '42501', 'permission denied for table organisations',
    'a viewer may not found an organisation past the gate'
);
select tests.may_not_delete_or_stop('a viewer', 'app.organisations');

-- An API key.
select tests.as('api_key');
select is_empty('select name from app.organisations', 'an API key reads no organisation');
select is_empty(
    $$ update app.organisations set name = 'x' returning name $$,
    'an API key may not rename the organisation'
);
select is_empty(
    'select name from app.organisations for update',
    'an API key may not lock the row of the organisation'
);
select throws_ok(
    $$
    insert into app.organisations (organisation_id, name)
    values (tests.organisation('New'), 'x')
    $$,
    '42501', 'permission denied for table organisations',
    'an API key may not found an organisation past the gate'
);
select tests.may_not_delete_or_stop('an API key', 'app.organisations');

-- A stranger.
select tests.as('stranger');
select is_empty('select name from app.organisations', 'a stranger reads no organisation');
select is_empty(
    $$ update app.organisations set name = 'x' returning name $$,
    'a stranger may not rename the organisation'
);
select is_empty(
    'select name from app.organisations for update',
    'a stranger may not lock the row of the organisation'
);
select throws_ok(
    $$
    insert into app.organisations (organisation_id, name)
    values (tests.organisation('New'), 'x')
    $$,
    '42501', 'permission denied for table organisations',
    'a stranger may not found an organisation past the gate'
);
select tests.may_not_delete_or_stop('a stranger', 'app.organisations');

-- No context.
select tests.as_nobody();
select throws_ok(
    'select name from app.organisations', 'SA401', null,
    'nobody reads an organisation without a context'
);
select throws_ok(
    $$ update app.organisations set name = 'x' $$, 'SA401', null,
    'nobody renames an organisation without a context'
);
select tests.may_not_delete_or_stop('nobody', 'app.organisations');

-- A forged context.
select tests.as_forger('owner');
select throws_ok(
    'select name from app.organisations', 'SA401', null, 'a forger reads no organisation'
);
select throws_ok(
    $$ update app.organisations set name = 'x' $$, 'SA401', null,
    'a forger may not rename an organisation'
);
select tests.as('admin');
select set_config('app.tenant_id', tests.organisation('Globex')::text, true);
select throws_ok(
    $$ update app.organisations set name = 'x' $$, 'SA401', null,
    'an admin who writes another organisation into the context may not rename it'
);

-- Columns.
select tests.as('owner');
select throws_ok(
    format('update app.organisations set %I = %I', c.name, c.name),
    '42501', 'permission denied for table organisations',
    format('an owner may not change %s of an organisation', c.name)
)
from unnest(array['organisation_id', 'created_at', 'updated_at']) as c (name);

-- The owner of the table.
select tests.as('owner');
set local role saas_owner;
select is_empty(
    'select name from app.organisations', 'the role that owns the table reads no organisation, in whatever context'
);

-- The audit has no business here.
set local role saas_audit;
select tests.may_not_touch('the audit', 'app.organisations', 'name');

-- The gate reads all, and writes the organisation entered.
select tests.as('owner');
set local role saas_gate;
select results_eq(
    $$
    select count(*) from app.organisations
    where organisation_id in (tests.organisation(), tests.organisation('Globex'))
    $$,
    array[2::bigint],
    'the gate reads every organisation, to tell a caller their own'
);
select results_eq(
    'update app.organisations set name = name returning organisation_id',
    array[tests.organisation('Acme')],
    'the gate writes to the organisation entered and no other'
);
select throws_ok(
    $$
    insert into app.organisations (organisation_id, name)
    values (tests.organisation('New'), 'x')
    $$,
    '42501',
    'new row violates row-level security policy "tenant_isolation" for table "organisations"',
    'the gate founds no organisation but the one entered'
);
select throws_ok(
    format('update app.organisations set %I = %I', c.name, c.name),
    '42501', 'permission denied for table organisations',
    format('the gate may not change %s of an organisation', c.name)
)
from unnest(array['organisation_id', 'created_at', 'updated_at']) as c (name);
select throws_ok(
    format('insert into app.organisations (name, %I) values (%L, default)', c.name, 'x'),
    '42501', 'permission denied for table organisations',
    format('the gate may not set %s of a new organisation', c.name)
)
from unnest(array['created_at', 'updated_at']) as c (name);
select tests.may_not_delete_or_stop('the gate', 'app.organisations');

-- Nothing of all this has reached the other organisation.
select tests.as_superuser();
select results_eq(
    $$ select name from app.organisations where organisation_id = tests.organisation('Globex') $$,
    array['Globex'],
    'nobody of Acme has renamed Globex'
);

-- Each half of a policy holds alone.
alter policy update_admin on app.organisations using (current_user = 'saas_api');
select tests.as('viewer');
select throws_ok(
    $$ update app.organisations set name = 'x' $$,
    '42501', 'new row violates row-level security policy for table "organisations"',
    'a viewer may not rename the organisation, were every row offered for update'
);
select tests.as_superuser();
create policy careless on app.organisations for all to public using (true) with check (true);
grant insert (organisation_id, name) on table app.organisations to saas_api;
select tests.as('viewer');
select results_eq(
    'select organisation_id from app.organisations', array[tests.organisation('Acme')],
    'a viewer reads no other organisation, were a careless policy added'
);
select throws_ok(
    $$
    insert into app.organisations (organisation_id, name)
    values (tests.organisation('New'), 'x')
    $$,
    '42501',
    'new row violates row-level security policy "tenant_isolation" for table "organisations"',
    'a viewer founds no organisation, were a careless policy added'
);
select tests.as_superuser();
drop policy careless on app.organisations;
drop policy tenant_isolation on app.organisations;
grant update (organisation_id) on table app.organisations to saas_gate;
select tests.as('owner');
set local role saas_gate;
select results_eq(
    'update app.organisations set name = name returning organisation_id',
    array[tests.organisation('Acme')],
    'the gate writes to the organisation entered alone, were the wall gone'
);
select throws_ok(
    $$ update app.organisations set organisation_id = tests.organisation('New') $$,
    '42501', 'new row violates row-level security policy for table "organisations"',
    'the gate turns no organisation into another, were the wall gone'
);

select * from finish();
rollback;
