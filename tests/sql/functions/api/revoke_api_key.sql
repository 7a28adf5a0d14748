begin;
select plan(9);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
update app.api_keys set created_at = '2026-01-01 00:00Z' where organisation_id in (tests.organisation(), tests.organisation('Globex'));

select tests.as_nobody();
select lives_ok(
    $$ select api.revoke_api_key(tests.credential('admin'), 'first', tests.organisation(), tests.user_id('api_key')) $$,
    'an admin revokes an API key'
);
select is(
    tests.answer($$ select api.get_project($1, 'r', $2, uuidv7()) $$, tests.credential('api_key')),
    'SA401', 'it works no more'
);
select is(
    tests.answer($$ select gate.authenticate($1) $$, tests.credential('api_key', 'Globex')),
    'SA200', 'the API key of another organisation works'
);
select tests.as('owner');
select results_eq(
    'select revoked_at from app.api_keys', array[now()], 'it was revoked now'
);
select tests.as_superuser();
set local session_replication_role = replica;
update app.api_keys set revoked_at = '2026-01-02 00:00Z' where organisation_id = tests.organisation();
set local session_replication_role = origin;
select tests.as_nobody();
select lives_ok(
    $$ select api.revoke_api_key(tests.credential('owner'), 'second', tests.organisation(), tests.user_id('api_key')) $$,
    'an owner revokes it again'
);
select tests.as('owner');
select results_eq(
    'select revoked_at from app.api_keys', array['2026-01-02 00:00Z'::timestamptz],
    'and leaves as it was when it was revoked'
);
select results_eq(
    $$ select request_id, actor_user_id from audit.events where action = 'api_key.revoked' $$,
    $$ values ('first', tests.user_id('admin')) $$,
    'one event says who revoked it first'
);

-- By hand, without a context.
select tests.as_superuser();
update app.api_keys set revoked_at = now() where organisation_id = tests.organisation('Globex');
select is_empty(
    $$ select from auth.credentials where organisation_id = tests.organisation('Globex') $$,
    'a superuser revokes with a plain update, and the credential goes with it'
);
select tests.new_tenant('Initech');
delete from app.api_keys where organisation_id = tests.organisation('Initech');
select is_empty(
    $$ select from auth.credentials where organisation_id = tests.organisation('Initech') $$,
    'a superuser deletes an API key, and the credential goes with it'
);

select * from finish();
rollback;
