begin;
select plan(9);

select tests.new_tenant('Acme');

select tests.as_nobody();
select results_eq(
    format('select * from api.login_challenge(%L, %L)', e.email, 'm=65536,t=3,p=4'),
    $$ values (sha256('salt'), 'm=8,t=1,p=1', null::integer) $$,
    format('%s is given the salt and the cost of the password', e.email)
)
from unnest(array['owner@acme.example', 'OWNER@Acme.Example']) as e (email);

-- An email without an account looks like any other.
select is(
    (select parameters from api.login_challenge('nobody@acme.example', 'm=65536,t=3,p=4')),
    'm=65536,t=3,p=4',
    'an unknown email is given the cost of today'
);
select is(
    (select octet_length(salt) from api.login_challenge('nobody@acme.example', 'm=65536,t=3,p=4')),
    16,
    'an unknown email is given a salt'
);
select is(
    (select salt from api.login_challenge('NOBODY@acme.example', 'x')),
    (select salt from api.login_challenge('nobody@acme.example', 'y')),
    'an unknown email is given the same salt each time, whatever its case'
);
select isnt(
    (select salt from api.login_challenge('nobody@acme.example', 'x')),
    (select salt from api.login_challenge('nobodies@acme.example', 'x')),
    'another unknown email is given another salt'
);
select is(
    (select retry_after from api.login_challenge('nobody@acme.example', 'x')), null,
    'an unknown email may try'
);
select tests.as_superuser();
select is(
    (select c.salt from api.login_challenge('Nobody@acme.example', 'x') as c),
    (
        select substr(
            sha256(k.outer_key || sha256(k.inner_key || 'salt|' || sha256('nobody@acme.example'))),
            1, 16
        )
        from auth.seal_key as k
    ),
    'a made-up salt is an HMAC of the email'
);
create temporary table salt_before as
select c.salt from api.login_challenge('nobody@acme.example', 'x') as c;
update auth.seal_key set inner_key = outer_key, outer_key = inner_key;
select isnt(
    (select c.salt from api.login_challenge('nobody@acme.example', 'x') as c),
    (select s.salt from salt_before as s),
    'nobody foretells a made-up salt without the key'
);

select * from finish();
rollback;
