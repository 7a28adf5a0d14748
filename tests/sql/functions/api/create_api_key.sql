begin;
select plan(17);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');

create temporary table made (body json, replayed boolean);
grant all on table made to saas_api;
select tests.as_nobody();
select is(
    (
        select array_agg(b.key)
        from
            api.create_api_key(
                tests.credential('admin'), 'r', tests.organisation(),
                'CI', 'saas_aB3aB3aB', sha256('raw'), null, null
            ) as c,
            json_object_keys(c.body) as b (key)
        where not c.replayed
    ),
    '{api_key_id,organisation_id,name,prefix,created_at,created_by_user_id,last_used_at,revoked_at}',
    'an admin who makes an API key is told all of it and no more'
);
select tests.as('owner');
select results_eq(
    $$ select name, prefix, created_by_user_id, created_at, last_used_at, revoked_at,
        uuid_extract_version(api_key_id)::integer
    from api.api_keys where name = 'CI' $$,
    $$ values ('CI', 'saas_aB3aB3aB', tests.user_id('admin'), now(), null::timestamptz, null::timestamptz, 7) $$,
    'what was made is there, made now by the admin, never used and live, under an id of version 7'
);
select tests.as_nobody();
select lives_ok(
    $$ select api.create_project(sha256('raw'), 'r', tests.organisation(), 'x', null, 'active', null, null) $$,
    'the key works at once'
);
select is(
    tests.answer($$ select gate.enter($1, 'r', $2, 'projects.read') $$, sha256('raw'), tests.organisation('Globex')),
    'SA404', 'the key does not work in another organisation'
);

-- With an idempotency key.
insert into made
select c.* from api.create_api_key(
    tests.credential('owner'), 'r', tests.organisation(), 'Bot', 'saas_00000001', sha256('one'), 'k', '{"name": "Bot"}'
) as c;
insert into made
select c.* from api.create_api_key(
    tests.credential('owner'), 'r', tests.organisation(), 'Bot', 'saas_00000002', sha256('two'), 'k', '{"name": "Bot"}'
) as c;
select results_eq(
    'select replayed from made', array[false, true], 'an owner who repeats the request is told so'
);
select is(
    (select count(distinct body::text) from made), 1::bigint, 'and gets the same answer to the letter'
);
select is(
    tests.answer($$ select gate.authenticate($1) $$, sha256('one')), 'SA200', 'the first key lives'
);
select is(
    tests.answer($$ select gate.authenticate($1) $$, sha256('two')), 'SA401',
    'the key of the repetition was never made'
);
select is(
    tests.answer(
        $$ select api.create_api_key($1, 'r', $2, 'x', 'saas_00000002', sha256('two'), 'k', '{"name": "x"}') $$,
        tests.credential('owner')
    ),
    'SA409 idempotency_keys_pkey', 'an owner who repeats another request is refused'
);
select is(
    (
        select c.replayed from api.create_api_key(
            tests.credential('admin'), 'r', tests.organisation(),
            'Bot', 'saas_00000003', sha256('three'), 'k', '{"name": "Bot"}'
        ) as c
    ),
    false, 'an admin with the same idempotency key makes a key of their own'
);

-- Values that slipped through the adapter.
select is(
    tests.answer(
        format('select api.create_api_key($1, %L, $2, %L, %L, %L, null, null)', 'r', v.name, v.prefix, v.digest),
        tests.credential('owner')
    ),
    v.answer, format('an owner may not make an API key with %s', v.what)
)
from (
    values
        (E' \n', 'saas_00000000', sha256('n'), '23514 api_keys_name_not_blank', 'a blank name'),
        (null, 'saas_00000000', sha256('n'), '23502', 'no name'),
        ('x', 'sk_live_0000000', sha256('n'), '23514 api_keys_prefix_valid', 'another prefix'),
        ('x', 'saas_00000000', 'raw key'::bytea, '23514 credentials_digest_is_sha256', 'what is no digest'),
        ('x', 'saas_00000000', tests.credential('api_key', 'Globex'), '23505 credentials_pkey', 'the secret of another')
) as v (name, prefix, digest, answer, what);

select tests.as_superuser();
select results_eq(
    $$ select count(*) from app.api_keys where organisation_id = tests.organisation() $$,
    array[4::bigint], 'three were made'
);
select is_empty(
    $$
    select from app.api_keys as k
    left join auth.credentials as c using (organisation_id, api_key_id)
    left join app.api_key_uses as u using (organisation_id, api_key_id)
    where
        k.organisation_id = tests.organisation()
        and (c.digest is null or u.api_key_id is null)
    $$,
    'each API key has its credential and its use'
);

select * from finish();
rollback;
