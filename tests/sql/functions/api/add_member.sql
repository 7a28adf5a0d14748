begin;
select plan(9);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');

select tests.as_nobody();
select is(
    api.add_member(
        tests.credential('admin'), 'r', tests.organisation(),
        'StrangeR@ACME.example', null, 'member'
    )::jsonb,
    jsonb_build_object(
        'organisation_id', tests.organisation(), 'user_id', tests.user_id('stranger'),
        'email', 'stranger@acme.example', 'display_name', 'Stranger', 'role', 'member',
        'created_at', now(), 'updated_at', now()
    ),
    'an admin adds a member by email, whatever its case'
);
select is(
    api.add_member(
        tests.credential('owner'), 'r', tests.organisation(), null,
        tests.user_id('stranger', 'Globex'), 'owner'
    ) ->> 'role',
    'owner',
    'an owner adds an owner by id'
);
select is(
    tests.answer(
        format('select api.add_member($1, %L, $2, %L, %L, %L)', 'r', m.email, m.user_id, m.role),
        tests.credential(m.actor)
    ),
    m.answer,
    m.what
)
from (
    values
        (
            'admin', tests.email('viewer'), null::uuid, 'viewer', 'SA409 memberships_pkey',
            'an admin may not add a member twice by email'
        ),
        (
            'admin', null, tests.user_id('viewer'), 'admin', 'SA409 memberships_pkey',
            'an admin may not add a member twice by id'
        ),
        (
            'owner', null, tests.user_id('viewer', 'Globex'), 'emperor',
            '23514 memberships_role_known',
            'an owner may not make up a role'
        ),
        (
            'owner', null, tests.user_id('viewer', 'Globex'), 'api_key',
            '23514 memberships_role_known',
            'an owner may not make a member of the role of an API key'
        ),
        (
            'owner', null, null, 'viewer', 'SA404',
            'an owner may not add nobody'
        ),
        (
            'admin', 'nobody@nowhere.example', null, 'owner', 'SA403',
            'an admin who would add an owner does not learn who has an account'
        )
) as m (actor, email, user_id, role, answer, what);

select tests.as_superuser();
select results_eq(
    $$
    select u.email, m.role from app.memberships as m join app.users as u using (user_id)
    where m.organisation_id = tests.organisation() order by u.email
    $$,
    $$
    values
        ('admin@acme.example', 'admin'), ('member@acme.example', 'member'),
        ('owner@acme.example', 'owner'), ('stranger@acme.example', 'member'),
        ('stranger@globex.example', 'owner'), ('viewer@acme.example', 'viewer')
    $$,
    'who was added belongs, and nobody else'
);

select * from finish();
rollback;
