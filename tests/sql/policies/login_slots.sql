begin;
select plan(85);

-- All that is granted.
select results_eq(
    $$ select * from tests.grants('auth.login_slots') $$,
    array[
        'saas_gate: INSERT of email_digest, slot',
        'saas_gate: SELECT',
        'saas_gate: UPDATE of failed_at'
    ],
    'auth.login_slots is granted to whom it must be and to nobody else'
);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');

insert into auth.login_slots (email_digest, slot) values (sha256('a'), 1);

-- No actor: the whole schema is shut.
select tests.as('owner');
select tests.may_not_touch('an owner', 'auth.login_slots', 'failed_at');
select tests.as('admin');
select tests.may_not_touch('an admin', 'auth.login_slots', 'failed_at');
select tests.as('member');
select tests.may_not_touch('a member', 'auth.login_slots', 'failed_at');
select tests.as('viewer');
select tests.may_not_touch('a viewer', 'auth.login_slots', 'failed_at');
select tests.as('api_key');
select tests.may_not_touch('an API key', 'auth.login_slots', 'failed_at');
select tests.as('stranger');
select tests.may_not_touch('a stranger', 'auth.login_slots', 'failed_at');
select tests.as_forger('owner');
select tests.may_not_touch('a forger', 'auth.login_slots', 'failed_at');
select tests.as_nobody();
select tests.may_not_touch('nobody', 'auth.login_slots', 'failed_at');
select throws_ok(
    'select from auth.login_slots', '42501', 'permission denied for schema auth',
    'nobody may enter the schema of the secrets'
);
set local role saas_audit;
select tests.may_not_touch('the audit', 'auth.login_slots', 'failed_at');

-- The owner of the table.
select tests.as('owner');
set local role saas_owner;
select is_empty(
    'select * from auth.login_slots',
    'the role that owns the table reads no row of it, in whatever context'
);

-- The gate counts: there is no tenant and no user yet.
select tests.as_nobody();
set local role saas_gate;
select results_eq(
    $$ select slot from auth.login_slots where email_digest = sha256('a') $$, array[1::smallint],
    'the gate reads the login slots without a context'
);
select lives_ok(
    $$ insert into auth.login_slots (email_digest, slot) values (sha256('a'), 2) $$,
    'the gate makes a login slot'
);
select lives_ok(
    'update auth.login_slots set failed_at = now()', 'the gate counts a failure'
);
select throws_ok(
    $$
    insert into auth.login_slots (email_digest, slot, failed_at)
    values (sha256('a'), 3, default)
    $$,
    '42501', 'permission denied for table login_slots',
    'the gate may not set failed_at of a new login slot'
);
select throws_ok(
    format('update auth.login_slots set %I = %I', c.name, c.name),
    '42501', 'permission denied for table login_slots',
    format('the gate may not change %s of a login slot', c.name)
)
from unnest(array['email_digest', 'slot']) as c (name);
select tests.may_not_delete_or_stop('the gate', 'auth.login_slots');

-- Were the schema opened, the table would still be shut.
select tests.as_superuser();
grant usage on schema auth to saas_api;
select tests.as('owner');
select tests.may_not_touch(
    'an owner let into the schema of the secrets', 'auth.login_slots', 'failed_at'
);

-- It clears away what is past.
select tests.as_superuser();
insert into auth.login_slots (email_digest, slot, failed_at)
values
    (sha256('past'), 1, now() - interval '25 hours'),
    (sha256('recent'), 1, now() - interval '23 hours'),
    (sha256('never'), 1, '-infinity');
set local role saas_owner;
delete from auth.login_slots
where email_digest in (sha256('past'), sha256('recent'), sha256('never'));
select throws_ok(
    $$
    insert into auth.login_slots (email_digest, slot, failed_at)
    values (sha256('made up'), 1, now() - interval '25 hours')
    $$,
    '42501', null,
    'the role that owns the table makes up no failure'
);
select tests.as_superuser();
select results_eq(
    $$
    select email_digest from auth.login_slots
    where email_digest in (sha256('past'), sha256('recent'), sha256('never')) order by failed_at
    $$,
    array[sha256('never'), sha256('recent')],
    'the role that owns the table removes failures of more than a day ago, and no others'
);

select * from finish();
rollback;
