begin;
select plan(12);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
insert into app.api_keys (organisation_id, api_key_id, name, prefix, created_by_user_id, created_at, revoked_at)
values
    (tests.organisation(), tests.user_id('new'), 'new', 'saas_00000000', tests.user_id('owner'), now(), null),
    (tests.organisation(), tests.user_id('old'), 'old', 'saas_00000000', tests.user_id('owner'), now() - interval '1 microsecond', null),
    (tests.organisation(), tests.user_id('gone'), 'gone', 'saas_00000000', tests.user_id('owner'), now(), now()),
    (tests.organisation('Globex'), tests.user_id('new', 'Globex'), 'new', 'saas_00000000', tests.user_id('owner', 'Globex'), now(), null);

create function pg_temp.store(p_actor text, p_organisation text default 'Acme')
returns text
language sql
as $$
    select format('select gate.store_api_key(%L, %L)', tests.user_id(p_actor, p_organisation), sha256('new'));
$$;

select tests.as('owner');
select throws_ok(
    pg_temp.store('old'), 'SA403', 'not a new API key of this organisation',
    'an owner may not make an API key live that another transaction has made'
);
select throws_ok(
    pg_temp.store('gone'), 'SA403', null, 'an owner may not make a revoked API key live'
);
select throws_ok(
    pg_temp.store('none'), 'SA403', null, 'an owner may not make an API key live that is in no list'
);
select throws_ok(
    pg_temp.store('new', 'Globex'), 'SA403', null,
    'an owner may not make an API key of another organisation live'
);
select throws_ok(
    pg_temp.store('api_key'), '23505', null, 'an owner may not give an API key a second secret'
);
select tests.as('member');
select throws_ok(
    pg_temp.store('new'), '42501', 'new row violates row-level security policy for table "api_key_uses"',
    'a member may not make an API key live'
);
select tests.as('api_key');
select throws_ok(pg_temp.store('new'), '42501', null, 'an API key may not make another live');
select tests.as('stranger');
select throws_ok(pg_temp.store('new'), 'SA403', null, 'a stranger may not make an API key live');
select tests.as_nobody();
select throws_ok(
    pg_temp.store('new'), 'SA401', null, 'nobody makes an API key live without a context'
);
select tests.as('admin');
select lives_ok(pg_temp.store('new'), 'an admin makes the API key live that was made just now');
select throws_ok(pg_temp.store('new'), '23505', null, 'and not twice');

select tests.as_superuser();
select results_eq(
    $$ select organisation_id, api_key_id, user_id, expires_at from auth.credentials where digest = sha256('new') $$,
    $$ values (tests.organisation(), tests.user_id('new'), null::uuid, null::timestamptz) $$,
    'the credential is of that key in that organisation, and has no end'
);

select * from finish();
rollback;
