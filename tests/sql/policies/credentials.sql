begin;
select plan(100);

-- All that is granted.
select results_eq(
    $$ select * from tests.grants('auth.credentials') $$,
    array[
        'saas_gate: DELETE',
        'saas_gate: INSERT of digest, user_id, organisation_id, api_key_id, expires_at',
        'saas_gate: SELECT',
        'saas_gate: UPDATE of expires_at'
    ],
    'auth.credentials is granted to whom it must be and to nobody else'
);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');

-- Two sessions that have expired, and an expired API key.
insert into auth.credentials (digest, user_id, expires_at)
values
    (sha256('member/expired'), tests.user_id('member'), now() - interval '1 second'),
    (sha256('viewer/expired'), tests.user_id('viewer'), now() - interval '1 second');
insert into auth.credentials (digest, organisation_id, api_key_id, expires_at)
values (
    sha256('key/expired'), tests.organisation(), tests.user_id('key'), now() - interval '1 second'
);
insert into app.api_keys (organisation_id, api_key_id, name, prefix, created_by_user_id)
values (tests.organisation(), tests.user_id('key'), 'key', 'saas_00000000', tests.user_id('owner'));

-- For who reads credentials of all: whether one is of this play.
create function pg_temp.is_ours(p_organisation_id uuid, p_user_id uuid)
returns boolean
language sql
as $$
    select coalesce(
        p_organisation_id in (tests.organisation('Acme'), tests.organisation('Globex')), false
    ) or exists (
        select
        from
            unnest(array['owner', 'admin', 'member', 'viewer', 'stranger']) as a (actor),
            unnest(array['Acme', 'Globex']) as g (name)
        where tests.user_id(a.actor, g.name) = p_user_id
    );
$$;

-- No actor: the whole schema is shut.
select tests.as('owner');
select tests.may_not_touch('an owner', 'auth.credentials', 'expires_at');
select tests.as('admin');
select tests.may_not_touch('an admin', 'auth.credentials', 'expires_at');
select tests.as('member');
select tests.may_not_touch('a member', 'auth.credentials', 'expires_at');
select tests.as('viewer');
select tests.may_not_touch('a viewer', 'auth.credentials', 'expires_at');
select tests.as('api_key');
select tests.may_not_touch('an API key', 'auth.credentials', 'expires_at');
select tests.as('stranger');
select tests.may_not_touch('a stranger', 'auth.credentials', 'expires_at');
select tests.as_forger('owner');
select tests.may_not_touch('a forger', 'auth.credentials', 'expires_at');
select tests.as_nobody();
select tests.may_not_touch('nobody', 'auth.credentials', 'expires_at');
select throws_ok(
    'select from auth.credentials', '42501', 'permission denied for schema auth',
    'nobody may enter the schema of the secrets'
);
set local role saas_audit;
select tests.may_not_touch('the audit', 'auth.credentials', 'expires_at');

-- The owner of the table.
select tests.as('owner');
set local role saas_owner;
select is_empty(
    'select * from auth.credentials where expires_at is null or expires_at > now()',
    'the role that owns the table reads no live credential, in whatever context'
);

-- The gate finds any credential, and opens sessions of the user of the context alone.
select tests.as_nobody();
set local role saas_gate;
select results_eq(
    $$ select count(*) from auth.credentials where pg_temp.is_ours(organisation_id, user_id) $$,
    array[15::bigint],
    'the gate reads every credential, without a context too'
);
select throws_ok(
    $$
    insert into auth.credentials (digest, user_id, expires_at)
    values (sha256('new'), tests.user_id('owner'), now() + interval '1 hour')
    $$,
    'SA401', null,
    'the gate opens no session without a context'
);
select throws_ok(
    'delete from auth.credentials', 'SA401', null, 'the gate clears no session without a context'
);
select tests.as('member');
set local role saas_gate;
select throws_ok(
    $$
    insert into auth.credentials (digest, user_id, expires_at)
    values (sha256('new'), tests.user_id('owner'), now() + interval '1 hour')
    $$,
    '42501', 'new row violates row-level security policy for table "credentials"',
    'the gate opens no session of another user'
);
select lives_ok(
    $$
    insert into auth.credentials (digest, user_id, expires_at)
    values (sha256('new'), tests.user_id('member'), now() + interval '1 hour')
    $$,
    'the gate opens a session of the user'
);
select throws_ok(
    format('insert into auth.credentials (digest, %I) values (sha256(%L), default)', c.name, 'x'),
    '42501', 'permission denied for table credentials',
    format('the gate may not set %s of a new session', c.name)
)
from unnest(array['created_at']) as c (name);

-- It changes none, and clears away the expired ones of the user.
select results_eq(
    'select digest from auth.credentials for update', array[sha256('member/expired')],
    'the gate locks the expired sessions of the user and no other credential'
);
select throws_ok(
    $$ update auth.credentials set expires_at = 'infinity' $$,
    '42501', 'new row violates row-level security policy for table "credentials"',
    'the gate gives an expired session no second life'
);
select is_empty(
    $$
    update auth.credentials set expires_at = 'infinity' where expires_at > now() returning digest
    $$,
    'the gate prolongs no live session'
);
select throws_ok(
    format('update auth.credentials set %I = %I', c.name, c.name),
    '42501', 'permission denied for table credentials',
    format('the gate may not change %s of a credential', c.name)
)
from unnest(array['digest', 'user_id', 'organisation_id', 'api_key_id', 'created_at']) as c (name);
select results_eq(
    'delete from auth.credentials returning digest', array[sha256('member/expired')],
    'the gate clears away the expired sessions of the user and no other credential'
);
select tests.as('api_key');
set local role saas_gate;
select is_empty(
    'delete from auth.credentials returning digest', 'the gate clears nothing away for an API key'
);
select throws_ok(
    'truncate auth.credentials', '42501', null, 'the gate may not truncate the credentials'
);

-- API keys: it makes them live for who may write keys, and ends those that are revoked or gone.
select throws_ok(
    format(
        'insert into auth.credentials (digest, organisation_id, api_key_id) values (%L, %L, %L)',
        sha256('new key'), tests.organisation(), tests.user_id('new')
    ),
    '42501', 'new row violates row-level security policy for table "credentials"',
    'the gate makes no API key live for an API key'
);
select tests.as('member');
set local role saas_gate;
select throws_ok(
    format(
        'insert into auth.credentials (digest, organisation_id, api_key_id) values (%L, %L, %L)',
        sha256('new key'), tests.organisation(), tests.user_id('new')
    ),
    '42501', 'new row violates row-level security policy for table "credentials"',
    'the gate makes no API key live for a member'
);
select tests.as('admin');
set local role saas_gate;
select throws_ok(
    format(
        'insert into auth.credentials (digest, organisation_id, api_key_id) values (%L, %L, %L)',
        sha256('new key'), tests.organisation('Globex'), tests.user_id('new')
    ),
    '42501', 'new row violates row-level security policy for table "credentials"',
    'the gate makes no API key of another organisation live for an admin'
);
select throws_ok(
    format(
        'insert into auth.credentials (digest, organisation_id, api_key_id) values (%L, %L, %L)',
        sha256('new key'), tests.organisation(), tests.user_id('api_key')
    ),
    '23505', 'duplicate key value violates unique constraint "credentials_api_key_id_key"',
    'the gate gives an API key no second secret'
);
select lives_ok(
    format(
        'insert into auth.credentials (digest, organisation_id, api_key_id) values (%L, %L, %L)',
        sha256('new key'), tests.organisation(), tests.user_id('new')
    ),
    'the gate makes an API key live for an admin'
);
select results_eq(
    'delete from auth.credentials where api_key_id is not null returning digest',
    array[sha256('new key')],
    'the gate ends a key that is in no list, and no key that lives'
);

-- Maintenance: the owner of the table removes what has expired, and nothing else.
select tests.as_nobody();
set local role saas_owner;
select throws_ok(
    $$ insert into auth.credentials (digest, user_id, expires_at)
    values (sha256('new'), tests.user_id('owner'), now() - interval '1 hour') $$,
    '42501', null, 'the role that owns the table makes no session'
);
select throws_ok(
    $$ update auth.credentials set expires_at = now() + interval '1 hour' $$, '42501', null,
    'the role that owns the table gives no expired session a second life'
);
select results_eq(
    $$
    delete from auth.credentials where pg_temp.is_ours(organisation_id, user_id) returning digest
    $$,
    $$ values (sha256('viewer/expired')), (sha256('key/expired')) $$,
    'the role that owns the table clears away what has expired'
);

-- Were the schema opened, the table would still be shut.
select tests.as_superuser();
grant usage on schema auth to saas_api;
select tests.as('owner');
select tests.may_not_touch(
    'an owner let into the schema of the secrets', 'auth.credentials', 'expires_at'
);

-- The id of a key is its organisation's own: another may have the same.
select tests.as_superuser();
insert into app.api_keys (organisation_id, api_key_id, name, prefix, created_by_user_id)
values (
    tests.organisation('Globex'), tests.user_id('api_key', 'Acme'), 'same', 'saas_12345678',
    tests.user_id('owner', 'Globex')
);
update app.api_keys set revoked_at = now()
where organisation_id = tests.organisation('Acme') and name = 'api_key';
select is_empty(
    $$
    select from auth.credentials
    where organisation_id = tests.organisation('Acme') and api_key_id = tests.user_id('api_key')
    $$,
    'a revoked key ends although another organisation has a live one of the same id'
);

select * from finish();
rollback;
