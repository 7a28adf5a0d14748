begin;
select plan(88);

-- All that is granted.
select results_eq(
    $$ select * from tests.grants('auth.passwords') $$,
    array[
        'saas_gate: INSERT of user_id, email_digest, salt, parameters, digest',
        'saas_gate: SELECT'
    ],
    'auth.passwords is granted to whom it must be and to nobody else'
);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');

delete from auth.passwords where user_id in (tests.user_id('member'), tests.user_id('viewer'));

-- No actor: the whole schema is shut.
select tests.as('owner');
select tests.may_not_touch('an owner', 'auth.passwords', 'changed_at');
select tests.as('admin');
select tests.may_not_touch('an admin', 'auth.passwords', 'changed_at');
select tests.as('member');
select tests.may_not_touch('a member', 'auth.passwords', 'changed_at');
select tests.as('viewer');
select tests.may_not_touch('a viewer', 'auth.passwords', 'changed_at');
select tests.as('api_key');
select tests.may_not_touch('an API key', 'auth.passwords', 'changed_at');
select tests.as('stranger');
select tests.may_not_touch('a stranger', 'auth.passwords', 'changed_at');
select tests.as_forger('owner');
select tests.may_not_touch('a forger', 'auth.passwords', 'changed_at');
select tests.as_nobody();
select tests.may_not_touch('nobody', 'auth.passwords', 'changed_at');
select throws_ok(
    'select from auth.passwords', '42501', 'permission denied for schema auth',
    'nobody may enter the schema of the secrets'
);
set local role saas_audit;
select tests.may_not_touch('the audit', 'auth.passwords', 'changed_at');

-- The owner of the table.
select tests.as('owner');
set local role saas_owner;
select is_empty(
    'select * from auth.passwords',
    'the role that owns the table reads no row of it, in whatever context'
);

-- The gate compares all, and sets the first password of the user of the context alone.
select tests.as_nobody();
set local role saas_gate;
select isnt_empty(
    'select from auth.passwords where user_id = tests.user_id(''owner'')',
    'the gate reads every password, without a context too'
);
select throws_ok(
    $$
    insert into auth.passwords (user_id, email_digest, salt, parameters, digest)
    values (tests.user_id('member'), sha256('m'), sha256('salt'), 'm=8,t=1,p=1', sha256('x'))
    $$,
    'SA401', null,
    'the gate sets no password without a context'
);
select tests.as('member');
set local role saas_gate;
select throws_ok(
    $$
    insert into auth.passwords (user_id, email_digest, salt, parameters, digest)
    values (tests.user_id('viewer'), sha256('v'), sha256('salt'), 'm=8,t=1,p=1', sha256('x'))
    $$,
    '42501', 'new row violates row-level security policy for table "passwords"',
    'the gate sets no password of another user'
);
select lives_ok(
    $$
    insert into auth.passwords (user_id, email_digest, salt, parameters, digest)
    values (tests.user_id('member'), sha256('m'), sha256('salt'), 'm=8,t=1,p=1', sha256('x'))
    $$,
    'the gate sets the password of a user who has none'
);
select throws_ok(
    $$
    insert into auth.passwords (user_id, changed_at)
    values (tests.user_id('member'), default)
    $$,
    '42501', 'permission denied for table passwords',
    'the gate may not set changed_at of a password'
);
select throws_ok(
    format('update auth.passwords set %I = %I', c.name, c.name),
    '42501', 'permission denied for table passwords',
    format('the gate may not change %s of a password', c.name)
)
from unnest(array['user_id', 'email_digest', 'salt', 'parameters', 'digest', 'changed_at']) as c (name);
select tests.may_not_delete_or_stop('the gate', 'auth.passwords');

-- Were the schema opened, the table would still be shut.
select tests.as_superuser();
grant usage on schema auth to saas_api;
select tests.as('owner');
select tests.may_not_touch(
    'an owner let into the schema of the secrets', 'auth.passwords', 'changed_at'
);

select * from finish();
rollback;
