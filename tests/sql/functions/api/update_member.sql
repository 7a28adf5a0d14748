begin;
select plan(13);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
set local session_replication_role = replica;
update app.memberships set created_at = '2026-01-01 00:00Z', updated_at = '2026-01-01 00:00Z'
where organisation_id in (tests.organisation(), tests.organisation('Globex'));
set local session_replication_role = origin;

create function pg_temp.change(p_actor text, p_target text, p_role text)
returns jsonb
language sql
as $$
    select api.update_member(
        tests.credential(p_actor), 'r', tests.organisation(), tests.user_id(p_target), p_role
    )::jsonb;
$$;

select tests.as_nobody();
select is(
    pg_temp.change('admin', 'viewer', 'viewer'),
    jsonb_build_object(
        'organisation_id', tests.organisation(), 'user_id', tests.user_id('viewer'),
        'email', 'viewer@acme.example', 'display_name', 'Viewer', 'role', 'viewer',
        'created_at', '2026-01-01T00:00:00+00:00', 'updated_at', '2026-01-01T00:00:00+00:00'
    ),
    'an admin who gives the role that is there already leaves updated_at as it was'
);
select is(
    pg_temp.change('admin', 'viewer', 'member') - 'email' - 'display_name' - 'user_id',
    jsonb_build_object(
        'organisation_id', tests.organisation(), 'role', 'member',
        'created_at', '2026-01-01T00:00:00+00:00', 'updated_at', now()
    ),
    'an admin makes a viewer a member'
);
select is(
    tests.answer(
        format(
            'select api.update_member($1, %L, $2, %L, %L)',
            'r',
            tests.user_id(m.target),
            m.role
        ),
        tests.credential(m.actor)
    ),
    m.answer,
    m.what
)
from (
    values
        (
            'owner', 'owner', 'admin', 'SA409 memberships_last_owner',
            'the last owner may not become an admin'
        ),
        ('owner', 'owner', 'owner', 'SA200', 'the last owner may stay the owner'),
        ('admin', 'admin', 'viewer', 'SA200', 'an admin may step down'),
        ('admin', 'admin', 'owner', 'SA403', 'an admin may not make themself an owner'),
        ('admin', 'owner', 'admin', 'SA403', 'an admin may not downgrade an owner'),
        (
            'owner', 'member', 'emperor', '23514 memberships_role_known',
            'an owner may not make up a role'
        ),
        (
            'admin', 'nobody', 'owner', 'SA403',
            'an admin who would make an owner does not learn who is a member'
        )
) as m (actor, target, role, answer, what);
select is(pg_temp.change('owner', 'admin', 'owner') ->> 'role', 'owner', 'an owner makes an owner');
select is(
    pg_temp.change('owner', 'owner', 'viewer') ->> 'role', 'viewer',
    'an owner who is not the last steps down'
);
select is(
    tests.answer(
        format(
            'select api.update_member($1, %L, $2, %L, %L)',
            'r',
            tests.user_id('member'),
            'viewer'
        ),
        tests.credential('owner')
    ),
    'SA403',
    'who has stepped down has no more rights from then on'
);

select tests.as_superuser();
select results_eq(
    $$
    select u.email, m.role from app.memberships as m join app.users as u using (user_id)
    where
        m.organisation_id in (tests.organisation(), tests.organisation('Globex'))
        and m.updated_at > '2026-01-01 00:00Z'
    order by u.email
    $$,
    $$
    values
        ('admin@acme.example', 'owner'), ('owner@acme.example', 'viewer'),
        ('viewer@acme.example', 'member')
    $$,
    'nobody else has changed'
);

select * from finish();
rollback;
