begin;
select plan(22);

select tests.new_tenant('Acme');
insert into auth.credentials (digest, user_id, expires_at)
values (sha256('expired'), tests.user_id('owner'), now() - interval '1 second');
insert into auth.credentials (digest, organisation_id, api_key_id, expires_at)
values (sha256('key/live'), tests.organisation(), tests.user_id('k1'), now() + interval '1 hour');
insert into auth.credentials (digest, organisation_id, api_key_id, expires_at)
values (
    sha256('key/expired'), tests.organisation(), tests.user_id('k2'), now() - interval '1 second'
);
insert into auth.credentials (digest, user_id, expires_at)
values (sha256('runs out'), tests.user_id('owner'), clock_timestamp() + interval '0.3 seconds');

select tests.as_nobody();
select is(
    tests.answer('select ' || f.name || '($1)', c.credential), c.answer,
    format('%s: %s', f.name, c.what)
)
from unnest(array['api.authenticate', 'gate.authenticate']) as f (name),
    (
        values
            (tests.credential('viewer'), 'SA200', 'a session is live'),
            (tests.credential('stranger'), 'SA200', 'that of a stranger, too'),
            (tests.credential('api_key'), 'SA200', 'an API key is live'),
            (sha256('key/live'), 'SA200', 'one that will expire, too'),
            (sha256('runs out'), 'SA200', 'a session is live until it expires'),
            (sha256('expired'), 'SA401', 'an expired session is not'),
            (sha256('key/expired'), 'SA401', 'an expired API key is not'),
            (tests.credential('nobody'), 'SA401', 'a made-up credential is not'),
            (null, 'SA401', 'no credential is not')
    ) as c (credential, answer, what);
select api.authenticate(tests.credential('owner'));
select throws_ok(
    'select ctx.user_id()', 'SA401', null, 'an owner who is authenticated has entered nothing yet'
);

-- Expiry is a matter of the clock, not of when the transaction began.
select pg_sleep(0.4);
select is(
    tests.answer(c.call, sha256('runs out')), 'SA401',
    format('a session that runs out within the transaction is refused by %s', c.name)
)
from (
    values
        ('gate.authenticate', 'select gate.authenticate($1)'),
        ('gate.enter', $$ select gate.enter($1, 'r', $2, 'projects.read') $$),
        ('gate.enter_user', $$ select gate.enter_user($1, 'r') $$)
) as c (name, call);

select * from finish();
rollback;
