begin;
select plan(15);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
insert into app.memberships (organisation_id, user_id, role)
values (tests.organisation('Globex'), tests.user_id('viewer'), 'viewer');

create function pg_temp.answer(p_actor text, p_target text)
returns text
language sql
as $$
    select tests.answer(
        format('select api.remove_member($1, %L, $2, %L)', 'r', tests.user_id(p_target)),
        tests.credential(p_actor)
    );
$$;

select tests.as_nobody();
select is(pg_temp.answer(m.actor, m.target), m.answer, m.what)
from (
    values
        ('owner', 'owner', 'SA409 memberships_last_owner', 'the last owner may not leave'),
        ('admin', 'owner', 'SA403', 'an admin may not remove an owner'),
        ('admin', 'admin', 'SA200', 'an admin may leave'),
        ('member', 'viewer', 'SA403', 'a member may not remove a viewer'),
        ('member', 'nobody', 'SA403', 'a member does not learn who is a member'),
        ('viewer', 'owner', 'SA403', 'a viewer may not remove an owner'),
        ('admin', 'nobody', 'SA404', 'an admin may not remove nobody'),
        ('admin', 'stranger', 'SA404', 'an admin may not remove a stranger')
) as m (actor, target, answer, what);

select lives_ok(
    $$
    select api.remove_member(
        tests.credential('viewer'), 'r', tests.organisation(), tests.user_id('viewer')
    )
    $$,
    'a viewer leaves'
);
select is(
    tests.answer($$ select api.get_organisation($1, 'r', $2) $$, tests.credential('viewer')),
    'SA404',
    'who has left is a stranger from then on, with the same credential'
);
select is(pg_temp.answer('owner', 'viewer'), 'SA404', 'an owner may not remove a member twice');

select tests.as_superuser();
update app.memberships set role = 'owner' where user_id = tests.user_id('admin');
select tests.as_nobody();
select lives_ok(
    $$
    select api.remove_member(
        tests.credential('admin'), 'r', tests.organisation(), tests.user_id('owner')
    )
    $$,
    'an owner removes another'
);
select is(
    pg_temp.answer('admin', 'admin'), 'SA409 memberships_last_owner',
    'and is then the last, who may not leave'
);

select tests.as_superuser();
select results_eq(
    $$
    select u.email from app.memberships as m join app.users as u using (user_id)
    where m.organisation_id = tests.organisation() order by u.email
    $$,
    $$ values ('admin@acme.example'), ('member@acme.example') $$,
    'who was removed is gone, and nobody else'
);
select is(
    (select count(*) from app.memberships where organisation_id = tests.organisation('Globex')),
    5::bigint,
    'who has left one organisation is still in the other'
);

select * from finish();
rollback;
