begin;
select plan(20);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
select tests.new_user('second');
set local session_replication_role = replica;
update app.memberships set updated_at = '2026-01-01 00:00Z' where organisation_id = tests.organisation();
update app.organisations set updated_at = '2026-01-01 00:00Z' where organisation_id = tests.organisation();
set local session_replication_role = origin;

-- updated_at.
select tests.as('admin');
update app.memberships set role = role where user_id = tests.user_id('viewer');
select results_eq(
    $$ select updated_at from app.memberships where user_id = tests.user_id('viewer') $$,
    array['2026-01-01 00:00Z'::timestamptz],
    'an admin who changes no role leaves updated_at as it was'
);
update app.memberships set role = 'member' where user_id = tests.user_id('viewer');
select results_eq(
    $$ select updated_at from app.memberships where user_id = tests.user_id('viewer') $$,
    array[now()],
    'an admin who changes a role moves updated_at'
);

-- The last owner. Globex has an owner, too, who does not count here.
select tests.as('owner');
select throws_ok(
    $$ update app.memberships set role = 'admin' where role = 'owner' $$,
    'SA409', 'an organisation keeps at least one owner',
    'the last owner may not be downgraded'
);
select is(
    tests.answer($$ update app.memberships set role = 'admin' where role = 'owner' $$, null),
    'SA409 memberships_last_owner',
    'and the refusal has the name of the rule'
);
select lives_ok(
    $$ update app.memberships set role = 'owner' where role = 'owner' $$,
    'the last owner may stay the owner'
);
set local role saas_gate;
select throws_ok(
    $$ delete from app.memberships where user_id = tests.user_id('owner') $$,
    'SA409', 'an organisation keeps at least one owner',
    'the last owner may not be removed'
);
select lives_ok(
    $$ delete from app.memberships where user_id = tests.user_id('admin') $$,
    'an admin may be removed, the last or not'
);

select tests.as_superuser();
select set_config('tests.row', o.ctid::text, true) from app.organisations as o
where o.organisation_id = tests.organisation();

-- Two owners: one may go, both may not, not even in one statement.
select tests.as('owner');
insert into app.memberships (organisation_id, user_id, role)
values (tests.organisation(), tests.user_id('second'), 'owner');
select throws_ok(
    $$ update app.memberships set role = 'viewer' where role = 'owner' $$,
    'SA409', null,
    'two owners may not be downgraded at once'
);
set local role saas_gate;
select throws_ok(
    $$
    delete
    from app.memberships where role = 'owner' and organisation_id = tests.organisation()
    $$,
    'SA409', null,
    'two owners may not be removed at once'
);
select results_eq(
    $$ delete from app.memberships where user_id = tests.user_id('owner') returning user_id $$,
    array[tests.user_id('owner')],
    'an owner who is not the last may be removed'
);
select tests.as('second');
set local role saas_gate;
select throws_ok(
    $$ delete from app.memberships where user_id = tests.user_id('second') $$,
    'SA409', null,
    'who is left is the last'
);

-- The rule waits on the organisation's row, and leaves no trace there.
select tests.as_superuser();
select results_eq(
    $$
    select name, updated_at
    from app.organisations where organisation_id = tests.organisation()
    $$,
    $$ values ('Acme', '2026-01-01 00:00Z'::timestamptz) $$,
    'to change owners is not to change the organisation'
);
select isnt(
    (
        select o.ctid::text from app.organisations as o
        where o.organisation_id = tests.organisation()
    ),
    current_setting('tests.row'),
    'but its row was written, so that two who change owners at once meet there'
);

-- An owner of two organisations, who enters the other one between the statement and the trigger.
insert into app.memberships (organisation_id, user_id, role)
values (tests.organisation('Globex'), tests.user_id('second'), 'admin');
select tests.as('second');
select throws_ok(
    $$
    update app.memberships set role = 'viewer'
    where role = 'owner' and gate.enter(
        tests.credential('second'), 'tests', tests.organisation('Globex'), 'projects.read'
    )::text is not null
    $$,
    'SA409', 'an organisation keeps at least one owner',
    'the last owner may not be downgraded from within another organisation'
);

-- By hand, without a context.
select tests.as_superuser();
select set_config(
    'tests.rows', string_agg(o.ctid::text, ' ' order by o.name), true
) from app.organisations as o
where o.organisation_id in (tests.organisation(), tests.organisation('Globex'));
select throws_ok(
    $$ delete from app.memberships where user_id = tests.user_id('owner', 'Globex') $$,
    'SA409', 'an organisation keeps at least one owner',
    'a superuser may not remove the last owner'
);
select throws_ok(
    $$ update app.memberships set role = 'viewer' where user_id = tests.user_id('owner', 'Globex') $$,
    'SA409', 'an organisation keeps at least one owner',
    'nor downgrade them'
);
select throws_ok(
    $$ delete from app.users where user_id = tests.user_id('owner', 'Globex') $$,
    'SA409', 'an organisation keeps at least one owner',
    'nor remove the account of one'
);
insert into app.memberships (organisation_id, user_id, role)
values (tests.organisation('Globex'), tests.user_id('stranger', 'Globex'), 'owner');
select lives_ok(
    $$ delete from app.users where user_id = tests.user_id('stranger', 'Globex') $$,
    'a superuser may remove the account of an owner who is not the last'
);
select is_empty(
    $$ select from app.memberships where user_id = tests.user_id('stranger', 'Globex') $$,
    'and their memberships go with it'
);
select results_eq(
    $$
    select o.name, o.row = r.row
    from unnest(string_to_array(current_setting('tests.rows'), ' ')) with ordinality as r (row, n)
    join (
        select name, ctid::text as row, row_number() over (order by name) as n
        from app.organisations
        where organisation_id in (tests.organisation(), tests.organisation('Globex'))
    ) as o using (n)
    order by 1
    $$,
    $$ values ('Acme', true), ('Globex', false) $$,
    'that waits on the row of the organisation, and on no other'
);

select * from finish();
rollback;
