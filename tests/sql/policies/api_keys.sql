begin;
select plan(88);

-- All that is granted.
select results_eq(
    $$ select * from tests.grants('app.api_keys') $$,
    array[
        'saas_api: INSERT of organisation_id, name, prefix, created_by_user_id',
        'saas_api: SELECT',
        'saas_api: UPDATE of revoked_at',
        'saas_gate: SELECT'
    ],
    'app.api_keys is granted to whom it must be and to nobody else'
);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');

-- An owner.
select tests.as('owner');
select results_eq(
    'select distinct organisation_id from app.api_keys', array[tests.organisation()],
    'an owner reads the API keys of the organisation and no other'
);
select lives_ok(
    $$
    insert into app.api_keys (organisation_id, name, prefix, created_by_user_id)
    values (tests.organisation(), 'owner''s', 'saas_00000000', tests.user_id('owner'))
    $$,
    'an owner makes an API key'
);
select throws_ok(
    $$
    insert into app.api_keys (organisation_id, name, prefix, created_by_user_id)
    values (tests.organisation('Globex'), 'x', 'saas_00000000', tests.user_id('owner'))
    $$,
    '42501', 'new row violates row-level security policy for table "api_keys"',
    'an owner may not make an API key in another organisation'
);
select throws_ok(
    $$
    insert into app.api_keys (organisation_id, name, prefix, created_by_user_id)
    values (tests.organisation(), 'x', 'saas_00000000', tests.user_id('viewer'))
    $$,
    '42501', 'new row violates row-level security policy for table "api_keys"',
    'an owner may not make an API key in another''s name'
);
select throws_ok(
    $$ update app.api_keys set revoked_at = now() + interval '1 day' $$,
    '42501', 'new row violates row-level security policy for table "api_keys"',
    'an owner may not revoke an API key for a time to come'
);
select throws_ok(
    $$ update app.api_keys set revoked_at = now() - interval '1 day' $$,
    '42501', 'new row violates row-level security policy for table "api_keys"',
    'an owner may not date a revocation back'
);
select results_eq(
    $$ update app.api_keys set revoked_at = now() where name = 'owner''s' returning name $$,
    array['owner''s'],
    'an owner revokes an API key'
);
select is_empty(
    $$ update app.api_keys set revoked_at = null where name = 'owner''s' returning name $$,
    'an owner may not bring a revoked API key back'
);
select is_empty(
    $$
    update app.api_keys set revoked_at = now()
    where organisation_id = tests.organisation('Globex') returning name
    $$,
    'an owner may not revoke an API key of another organisation'
);
select tests.may_not_delete_or_stop('an owner', 'app.api_keys');

-- An admin.
select tests.as('admin');
select results_eq(
    'select distinct organisation_id from app.api_keys', array[tests.organisation()],
    'an admin reads the API keys of the organisation and no other'
);
select lives_ok(
    $$
    insert into app.api_keys (organisation_id, name, prefix, created_by_user_id)
    values (tests.organisation(), 'admin''s', 'saas_00000000', tests.user_id('admin'))
    $$,
    'an admin makes an API key'
);
select throws_ok(
    $$
    insert into app.api_keys (organisation_id, name, prefix, created_by_user_id)
    values (tests.organisation('Globex'), 'x', 'saas_00000000', tests.user_id('admin'))
    $$,
    '42501', 'new row violates row-level security policy for table "api_keys"',
    'an admin may not make an API key in another organisation'
);
select throws_ok(
    $$
    insert into app.api_keys (organisation_id, name, prefix, created_by_user_id)
    values (tests.organisation(), 'x', 'saas_00000000', tests.user_id('viewer'))
    $$,
    '42501', 'new row violates row-level security policy for table "api_keys"',
    'an admin may not make an API key in another''s name'
);
select throws_ok(
    $$ update app.api_keys set revoked_at = now() + interval '1 day' $$,
    '42501', 'new row violates row-level security policy for table "api_keys"',
    'an admin may not revoke an API key for a time to come'
);
select throws_ok(
    $$ update app.api_keys set revoked_at = now() - interval '1 day' $$,
    '42501', 'new row violates row-level security policy for table "api_keys"',
    'an admin may not date a revocation back'
);
select results_eq(
    $$ update app.api_keys set revoked_at = now() where name = 'admin''s' returning name $$,
    array['admin''s'],
    'an admin revokes an API key'
);
select is_empty(
    $$ update app.api_keys set revoked_at = null where name = 'admin''s' returning name $$,
    'an admin may not bring a revoked API key back'
);
select is_empty(
    $$
    update app.api_keys set revoked_at = now()
    where organisation_id = tests.organisation('Globex') returning name
    $$,
    'an admin may not revoke an API key of another organisation'
);
select tests.may_not_delete_or_stop('an admin', 'app.api_keys');

-- A member.
select tests.as('member');
select is_empty('select name from app.api_keys', 'a member reads no API key');
select throws_ok(
    $$
    insert into app.api_keys (organisation_id, name, prefix, created_by_user_id)
    values (tests.organisation(), 'x', 'saas_00000000', tests.user_id('member'))
    $$,
    '42501', null, 'a member may not make an API key'
);
select is_empty(
    'update app.api_keys set revoked_at = now() returning name', 'a member may not revoke an API key'
);
select tests.may_not_delete_or_stop('a member', 'app.api_keys');

-- A viewer.
select tests.as('viewer');
select is_empty('select name from app.api_keys', 'a viewer reads no API key');
select throws_ok(
    $$
    insert into app.api_keys (organisation_id, name, prefix, created_by_user_id)
    values (tests.organisation(), 'x', 'saas_00000000', tests.user_id('viewer'))
    $$,
    '42501', null, 'a viewer may not make an API key'
);
select is_empty(
    'update app.api_keys set revoked_at = now() returning name', 'a viewer may not revoke an API key'
);
select tests.may_not_delete_or_stop('a viewer', 'app.api_keys');

-- An API key.
select tests.as('api_key');
select is_empty('select name from app.api_keys', 'an API key reads no API key');
select throws_ok(
    $$
    insert into app.api_keys (organisation_id, name, prefix, created_by_user_id)
    values (tests.organisation(), 'x', 'saas_00000000', tests.user_id('api_key'))
    $$,
    '42501', null, 'an API key may not make an API key'
);
select is_empty(
    'update app.api_keys set revoked_at = now() returning name', 'an API key may not revoke an API key'
);
select tests.may_not_delete_or_stop('an API key', 'app.api_keys');

-- A stranger.
select tests.as('stranger');
select is_empty('select name from app.api_keys', 'a stranger reads no API key');
select throws_ok(
    $$
    insert into app.api_keys (organisation_id, name, prefix, created_by_user_id)
    values (tests.organisation(), 'x', 'saas_00000000', tests.user_id('stranger'))
    $$,
    '42501', null, 'a stranger may not make an API key'
);
select is_empty(
    'update app.api_keys set revoked_at = now() returning name', 'a stranger may not revoke an API key'
);
select tests.may_not_delete_or_stop('a stranger', 'app.api_keys');

-- No context, and a forged one.
select tests.as_nobody();
select throws_ok('table app.api_keys', 'SA401', null, 'nobody reads an API key without a context');
select throws_ok(
    'update app.api_keys set revoked_at = now()', 'SA401', null,
    'nobody revokes an API key without a context'
);
select tests.as_forger('owner');
select throws_ok('table app.api_keys', 'SA401', null, 'a forger reads no API key');
select throws_ok(
    'update app.api_keys set revoked_at = now()', 'SA401', null, 'a forger revokes no API key'
);

-- Columns: what the database sets is not for the API to set.
select tests.as('owner');
select throws_ok(
    format(
        'insert into app.api_keys (organisation_id, name, prefix, created_by_user_id, %I)'
        ' values (tests.organisation(), %L, %L, tests.user_id(%L), default)',
        c.name, 'x', 'saas_00000000', 'owner'
    ),
    '42501', 'permission denied for table api_keys',
    format('an owner may not set %s of a new API key', c.name)
)
from unnest(array['api_key_id', 'created_at', 'revoked_at']) as c (name);
select throws_ok(
    format('update app.api_keys set %I = %I', c.name, c.name),
    '42501', 'permission denied for table api_keys',
    format('an owner may not change %s of an API key', c.name)
)
from unnest(array[
    'organisation_id', 'api_key_id', 'name', 'prefix', 'created_at', 'created_by_user_id'
]) as c (name);

-- The roles behind.
set local role saas_owner;
select is_empty(
    'table app.api_keys', 'the role that owns the table reads no API key'
);
select tests.as_nobody();
set local role saas_gate;
select results_eq(
    $$
    select count(*) from app.api_keys
    where organisation_id in (tests.organisation(), tests.organisation('Globex'))
    $$,
    array[4::bigint],
    'the gate reads every API key, without a context too'
);
select throws_ok(
    'update app.api_keys set revoked_at = now()', '42501', null, 'the gate changes no API key'
);
select throws_ok(
    $$ insert into app.api_keys (name) values ('x') $$, '42501', null, 'the gate makes no API key'
);
select throws_ok('delete from app.api_keys', '42501', null, 'the gate deletes no API key');
set local role saas_audit;
select tests.may_not_touch('the audit', 'app.api_keys', 'revoked_at');

-- Rules that hold for everyone.
select tests.as_superuser();
select is(
    tests.answer(
        format(
            'insert into app.api_keys (organisation_id, name, prefix, created_by_user_id)'
            ' values ($2, %L, %L, tests.user_id(%L))',
            v.name, v.prefix, v.creator
        ),
        null
    ),
    v.answer, v.what
)
from (
    values
        ('x', 'saas_0aZ00000', 'owner', 'SA200', 'an API key has a name, a prefix and a maker'),
        (E' \t', 'saas_00000000', 'owner', '23514 api_keys_name_not_blank', 'an API key has no blank name'),
        (repeat('é', 201), 'saas_00000000', 'owner', '23514 api_keys_name_not_blank', 'a name has at most 200 characters'),
        ('x', 'saas_000', 'owner', '23514 api_keys_prefix_valid', 'a prefix is of one length'),
        ('x', 'saas_0000000_', 'owner', '23514 api_keys_prefix_valid', 'a prefix is of letters and digits'),
        ('x', 'saas_00000000', 'nobody', '23503 api_keys_created_by_user_id_fkey', 'a maker is a user')
) as v (name, prefix, creator, answer, what);

-- Nothing of all this has reached the other organisation.
select results_eq(
    $$ select count(*) from app.api_keys
    where organisation_id = tests.organisation('Globex') and revoked_at is null $$,
    array[1::bigint], 'nobody of Acme has made or revoked an API key of Globex'
);

-- Without a condition no policy of SELECT is asked: that of UPDATE stands alone.
select tests.as_superuser();
select tests.new_api_key('blind');
select tests.as('member');
update app.api_keys set revoked_at = now();
select tests.as_superuser();
select is(
    (select revoked_at from app.api_keys where api_key_id = tests.user_id('blind')), null,
    'a member revokes no API key without looking, either'
);

select * from finish();
rollback;
