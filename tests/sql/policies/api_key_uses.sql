begin;
select plan(61);

-- All that is granted.
select results_eq(
    $$ select * from tests.grants('app.api_key_uses') $$,
    array[
        'saas_api: SELECT',
        'saas_gate: INSERT of organisation_id, api_key_id',
        'saas_gate: SELECT',
        'saas_gate: UPDATE of last_used_at'
    ],
    'app.api_key_uses is granted to whom it must be and to nobody else'
);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');

select tests.as('owner');
select results_eq(
    'select organisation_id from app.api_key_uses', array[tests.organisation()],
    'an owner reads when the API keys of the organisation were used, and of no other'
);

select tests.as('admin');
select results_eq(
    'select organisation_id from app.api_key_uses', array[tests.organisation()],
    'an admin reads when the API keys of the organisation were used, and of no other'
);

select tests.as('member');
select is_empty('table app.api_key_uses', 'a member does not read when an API key was used');

select tests.as('viewer');
select is_empty('table app.api_key_uses', 'a viewer does not read when an API key was used');

select tests.as('api_key');
select is_empty('table app.api_key_uses', 'an API key does not read when an API key was used');

select tests.as('stranger');
select is_empty('table app.api_key_uses', 'a stranger does not read when an API key was used');

select tests.as('owner');
select throws_ok(
    $$ insert into app.api_key_uses (organisation_id) values (tests.organisation()) $$, '42501', null,
    'an owner may not add a use'
);
select throws_ok(
    'update app.api_key_uses set last_used_at = now()', '42501', null, 'an owner may not note a use'
);
select tests.may_not_delete_or_stop('an owner', 'app.api_key_uses');

select tests.as('admin');
select throws_ok(
    $$ insert into app.api_key_uses (organisation_id) values (tests.organisation()) $$, '42501', null,
    'an admin may not add a use'
);
select throws_ok(
    'update app.api_key_uses set last_used_at = now()', '42501', null, 'an admin may not note a use'
);
select tests.may_not_delete_or_stop('an admin', 'app.api_key_uses');

select tests.as('member');
select throws_ok(
    $$ insert into app.api_key_uses (organisation_id) values (tests.organisation()) $$, '42501', null,
    'a member may not add a use'
);
select throws_ok(
    'update app.api_key_uses set last_used_at = now()', '42501', null, 'a member may not note a use'
);
select tests.may_not_delete_or_stop('a member', 'app.api_key_uses');

select tests.as('viewer');
select throws_ok(
    $$ insert into app.api_key_uses (organisation_id) values (tests.organisation()) $$, '42501', null,
    'a viewer may not add a use'
);
select throws_ok(
    'update app.api_key_uses set last_used_at = now()', '42501', null, 'a viewer may not note a use'
);
select tests.may_not_delete_or_stop('a viewer', 'app.api_key_uses');

select tests.as('api_key');
select throws_ok(
    $$ insert into app.api_key_uses (organisation_id) values (tests.organisation()) $$, '42501', null,
    'an API key may not add a use'
);
select throws_ok(
    'update app.api_key_uses set last_used_at = now()', '42501', null, 'an API key may not note a use'
);
select tests.may_not_delete_or_stop('an API key', 'app.api_key_uses');

select tests.as('stranger');
select throws_ok(
    $$ insert into app.api_key_uses (organisation_id) values (tests.organisation()) $$, '42501', null,
    'a stranger may not add a use'
);
select throws_ok(
    'update app.api_key_uses set last_used_at = now()', '42501', null, 'a stranger may not note a use'
);
select tests.may_not_delete_or_stop('a stranger', 'app.api_key_uses');

-- No context, and a forged one.
select tests.as_nobody();
select throws_ok(
    'table app.api_key_uses', 'SA401', null, 'nobody reads a use without a context'
);
select tests.as_forger('owner');
select throws_ok('table app.api_key_uses', 'SA401', null, 'a forger reads no use');

-- The gate: a key notes its own use, and who may write keys has the row made.
select tests.as_nobody();
set local role saas_gate;
select throws_ok(
    'update app.api_key_uses set last_used_at = now()', 'SA401', null,
    'the gate notes no use without a context'
);
select tests.as('owner');
set local role saas_gate;
select is_empty(
    'update app.api_key_uses set last_used_at = now() returning api_key_id',
    'the gate notes no use of an API key for an owner'
);
select throws_ok(
    $$ insert into app.api_key_uses (organisation_id, api_key_id)
    values (tests.organisation('Globex'), tests.user_id('api_key', 'Globex')) $$,
    '42501', 'new row violates row-level security policy for table "api_key_uses"',
    'the gate makes no row in another organisation'
);
select tests.as('member');
set local role saas_gate;
select throws_ok(
    $$ insert into app.api_key_uses (organisation_id, api_key_id)
    values (tests.organisation(), tests.user_id('api_key')) $$,
    '42501', 'new row violates row-level security policy for table "api_key_uses"',
    'the gate makes no row for a member'
);
select tests.as('api_key');
set local role saas_gate;
select results_eq(
    'update app.api_key_uses set last_used_at = now() returning api_key_id',
    array[tests.user_id('api_key')],
    'the gate notes the use of the API key that entered, and of no other'
);
select throws_ok(
    format('update app.api_key_uses set %I = %I', c.name, c.name), '42501', null,
    format('the gate may not change %s of a use', c.name)
)
from unnest(array['organisation_id', 'api_key_id']) as c (name);
set local role saas_audit;
select tests.may_not_touch('the audit', 'app.api_key_uses', 'last_used_at');

-- The owner of the table. Which of two policies is asked first is the planner's choice: so each alone.
select tests.as_superuser();
savepoint halves;
alter policy read_admin on app.api_key_uses using (true);
select tests.as('owner');
set local role saas_owner;
select is_empty(
    'table app.api_key_uses',
    'the wall shows nothing to the role that owns the table, in whatever context'
);
rollback to halves;
alter policy tenant_isolation on app.api_key_uses using (true);
select tests.as('owner');
set local role saas_owner;
select is_empty(
    'table app.api_key_uses', 'the role that owns the table reads no use, were there no wall'
);

select * from finish();
rollback;
