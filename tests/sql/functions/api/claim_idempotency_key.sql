begin;
select plan(25);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
insert into app.memberships (organisation_id, user_id, role)
values (tests.organisation('Globex'), tests.user_id('owner'), 'owner');

create function pg_temp.claim(
    p_request jsonb default '{"name": "x", "status": "active"}', p_endpoint text default 'e', p_key text default 'k',
    p_organisation_id uuid default tests.organisation()
)
returns text
language sql
as $$
    select api.claim_idempotency_key(p_organisation_id, p_endpoint, p_key, p_request)::text;
$$;

-- An owner claims, works, and keeps the answer.
select tests.as('owner');
select is(pg_temp.claim(), null, 'an owner claims a key');
select api.keep_response(tests.organisation(), 'e', 'k', '{"a" :  1}');
select is(pg_temp.claim(), '{"a" :  1}', 'an owner who repeats the request gets its answer to the letter');
select is(
    pg_temp.claim(' { "status":"active" ,"name" : "\u0078"} '), '{"a" :  1}',
    'the order of members, white space and escapes make no other request'
);
select throws_ok(
    format('select pg_temp.claim(%L)', r.request), 'SA409', 'idempotency key used with another body',
    format('an owner may not use the key for %s', r.what)
)
from (
    values
        ('{"name": "X", "status": "active"}', 'another value'),
        ('{"name": "x"}', 'a member less'),
        ('{"name": "x", "status": "active", "description": null}', 'a member more'),
        ('{"name": "x", "status": null}', 'null'),
        ('[]', 'what is no object')
) as r (request, what);
select is(
    tests.answer('select pg_temp.claim(''{}'')', null), 'SA409 idempotency_keys_pkey',
    'and the refusal has the name of the rule'
);

-- What makes another key.
select is(pg_temp.claim(p_key => 'K'), null, 'a key in capitals is another key');
select is(pg_temp.claim(p_key => 'K\'), null, 'and one with a backslash');
select is(pg_temp.claim(p_endpoint => 'f'), null, 'the same key of another endpoint is another key');
select tests.as('admin');
select is(pg_temp.claim('{}'), null, 'the same key of an admin is another key');
select tests.as('api_key');
select is(pg_temp.claim('{}'), null, 'the same key of an API key is another key');
select api.keep_response(tests.organisation(), 'e', 'k', '"of the API key"');
select is(pg_temp.claim('{}'), '"of the API key"', 'an API key gets its own answer');
select tests.as('owner');
select gate.enter(tests.credential('owner'), 'r', tests.organisation('Globex'), 'projects.write');
select is(
    pg_temp.claim('{}', p_organisation_id => tests.organisation('Globex')), null,
    'the same key of the owner in another organisation is another key'
);
select tests.as('owner');
select is(pg_temp.claim(), '{"a" :  1}', 'and the first answer stands');

-- 24 hours.
select tests.as_superuser();
update app.idempotency_keys set created_at = now() - interval '24 hours'
where principal_id = tests.user_id('owner') and endpoint = 'e' and idempotency_key = 'k';
select tests.as('owner');
select is(pg_temp.claim(), '{"a" :  1}', 'a key is good for 24 hours');
select tests.as_superuser();
update app.idempotency_keys set created_at = now() - interval '24 hours 1 microsecond'
where principal_id = tests.user_id('owner') and endpoint = 'e' and idempotency_key = 'k';
select tests.as('owner');
select is(pg_temp.claim('{"new": 1}'), null, 'then an owner claims it anew, for another body');
select results_eq(
    $$ select request, response::text, created_at from app.idempotency_keys
    where organisation_id = tests.organisation() and endpoint = 'e' and idempotency_key = 'k' $$,
    $$ values ('{"new": 1}'::jsonb, null::text, now()) $$,
    'the old answer is gone, and the 24 hours start anew'
);
select throws_ok(
    'select pg_temp.claim()', 'SA409', null, 'the body of before is another one now'
);

-- By its index, says tests/policies/test_plans.py.
select tests.as_superuser();
select is(
    (select k.claim_id from app.idempotency_keys as k where k.endpoint = 'e' and k.idempotency_key = 'K\'),
    app.claim_id('e', 'K\'),
    'the function finds a row where the column says it is'
);
select tests.as('owner');

-- What no client can send.
select throws_ok(
    format('select pg_temp.claim(p_key => %L)', k.key), '23514', null, format('a key is not %s', k.what)
)
from (values ('', 'empty'), (repeat('k', 256), 'of 256 characters'), ('a b', 'with a space')) as k (key, what);

select * from finish();
rollback;
