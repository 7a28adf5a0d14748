begin;
select plan(23);

select tests.as_nobody();
select is(
    api.register(
        'Ada@Acme.example', 'Ada', sha256('salt'), 'm=8,t=1,p=1', 'output', 'r'
    )::jsonb - 'user_id',
    jsonb_build_object('email', 'Ada@Acme.example', 'display_name', 'Ada', 'created_at', now()),
    'nobody becomes somebody, and is told who'
);
select is(ctx.request_id(), 'r', 'who registers goes on as that user');
select results_eq(
    'select email from app.users', array['Ada@Acme.example'], 'who registers reads themself alone'
);
select ok(ctx.tenant_id() is null, 'who registers is in no organisation');
select is(
    (select array_agg(b.key) from json_object_keys(
        api.register('bob@acme.example', null, sha256('salt'), 'm=8,t=1,p=1', 'output', 'r')
    ) as b (key)),
    '{user_id,email,display_name,created_at}',
    'who registers is told all of it and no more'
);

select is(
    tests.answer(
        format(
            'select api.register(%L, %L, %L, %L, %L, %L)',
            r.email, r.display_name, r.salt, r.parameters, 'output', 'r'
        ),
        null
    ),
    r.answer,
    format('nobody %s', r.what)
)
from (
    values
        (
            'ada@acme.EXAMPLE', null, sha256('s'), 'm=8,t=1,p=1', 'SA409 users_email_key',
            'registers an email that is taken, whatever its case'
        ),
        (
            'STRASSE@acme.example', null, sha256('s'), 'm=8,t=1,p=1', 'SA200',
            'is kept from a new email'
        ),
        (
            'no at', null, sha256('s'), 'm=8,t=1,p=1', '23514 users_email_valid',
            'registers what is no email'
        ),
        (
            'a@b@c', null, sha256('s'), 'm=8,t=1,p=1', '23514 users_email_valid',
            'registers an email with two at signs'
        ),
        (
            'a b@c', null, sha256('s'), 'm=8,t=1,p=1', '23514 users_email_valid',
            'registers an email with a space'
        ),
        (
            repeat('a', 252) || '@b', null, sha256('s'), 'm=8,t=1,p=1', 'SA200',
            'is kept from 254 characters'
        ),
        (
            repeat('a', 253) || '@b', null, sha256('s'), 'm=8,t=1,p=1', '23514 users_email_valid',
            'registers an email of 255 characters'
        ),
        (null, null, sha256('s'), 'm=8,t=1,p=1', '23502', 'registers without an email'),
        (
            'x@y', ' ', sha256('s'), 'm=8,t=1,p=1', '23514 users_display_name_not_blank',
            'takes a blank name'
        ),
        (
            'x@y', repeat('é', 200), sha256('s'), 'm=8,t=1,p=1', 'SA200',
            'is kept from a name of 200 characters'
        ),
        (
            'x@y', repeat('é', 201), sha256('s'), 'm=8,t=1,p=1',
            '23514 users_display_name_not_blank',
            'takes a name of 201 characters'
        ),
        (
            'x@y', null, '\x0123'::bytea, 'm=8,t=1,p=1', '23514 passwords_salt_length',
            'uses a short salt'
        ),
        ('x@y', null, sha256('s'), 'cheap', '23514 passwords_parameters_bounded', 'makes up the cost')
) as r (email, display_name, salt, parameters, answer, what);
select is(
    tests.answer(
        $$
        select api.login('new@acme.example', 'x', sha256('x'), 900, 'r');
        select api.register('New@acme.example', null, sha256('s'), 'm=8,t=1,p=1', 'o', 'r')
        $$,
        null
    ),
    'SA200',
    'nobody is kept from registering by a login that failed before'
);
-- Case folding, not lower().
select api.register('straße@acme.example', null, sha256('salt'), 'm=8,t=1,p=1', 'output', 'r');
select is(
    tests.answer(
        $$ select api.register('STRASSE@acme.example', null, sha256('s'), 'm=8,t=1,p=1', 'o', 'r') $$,
        null
    ),
    'SA409 users_email_key',
    'nobody registers an email that is taken in another spelling of its case'
);

select tests.as_superuser();
select results_eq(
    $$
    select u.email, p.salt, p.parameters, p.digest, p.changed_at = now()
    from app.users as u join auth.passwords as p using (user_id)
    where u.email ~ '^Ada@Acme'
    $$,
    $$ values ('Ada@Acme.example', sha256('salt'), 'm=8,t=1,p=1', sha256('output'), true) $$,
    'what is stored of a password is a digest of the output'
);
select results_eq(
    $$
    select s.slot::integer, s.failed_at = '-infinity' from auth.login_slots as s
    where s.email_digest = sha256('ada@acme.example') order by s.slot
    $$,
    $$ select n, true from generate_series(1, 10) as n $$,
    'all ten login slots are there from the start'
);
select is_empty(
    $$
    select from auth.credentials as c join app.users as u using (user_id)
    where u.email ilike '%@acme.example'
    $$,
    'to register is not to log in'
);

select * from finish();
rollback;
