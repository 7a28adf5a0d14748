begin;
select plan(4);

select tests.new_tenant('Acme');
select tests.as('owner');
select api.claim_idempotency_key(tests.organisation(), 'e', 'k', '{}');
select tests.as('admin');
select api.claim_idempotency_key(tests.organisation(), 'e', 'k', '{}');
select api.claim_idempotency_key(tests.organisation(), 'e', 'l', '{}');
select api.claim_idempotency_key(tests.organisation(), 'f', 'k', '{}');
select api.keep_response(tests.organisation(), 'e', 'k', '{"b":1, "a":  "é"}');

select tests.as_superuser();
select results_eq(
    $$ select principal_id, endpoint, idempotency_key, response::text from app.idempotency_keys
    where organisation_id = tests.organisation() and response is not null $$,
    $$ values (tests.user_id('admin'), 'e', 'k', '{"b":1, "a":  "é"}') $$,
    'an admin keeps the answer to the one request it is of, to the letter'
);
select tests.as('viewer');
select lives_ok(
    $$ select api.keep_response(tests.organisation(), 'e', 'k', '{"poison": true}') $$,
    'a viewer may try to keep an answer to another''s request'
);
select tests.as_forger('admin');
select throws_ok(
    $$ select api.keep_response(tests.organisation(), 'e', 'k', '{"poison": true}') $$,
    'SA401', null,
    'who forges an admin''s context keeps no answer to the admin''s request'
);
select tests.as_superuser();
select is_empty(
    $$
    select from app.idempotency_keys
    where organisation_id = tests.organisation() and response::text ~ 'poison'
    $$,
    'and neither changes anything'
);
select * from finish();
rollback;
