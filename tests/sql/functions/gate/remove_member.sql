begin;
select plan(8);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
insert into app.memberships (organisation_id, user_id, role)
values (tests.organisation('Globex'), tests.user_id('viewer'), 'viewer');

select tests.as('api_key');
select is(gate.remove_member(tests.user_id('viewer')), false, 'an API key removes nobody');
select tests.as('stranger');
select is(gate.remove_member(tests.user_id('stranger')), false, 'a stranger leaves nothing');
select tests.as('member');
select is(gate.remove_member(tests.user_id('viewer')), false, 'a member does not remove a viewer');
select tests.as('admin');
select is(gate.remove_member(tests.user_id('owner')), false, 'an admin does not remove an owner');
select is(
    gate.remove_member(tests.user_id('member', 'Globex')), false,
    'an admin does not remove a member of another organisation'
);
select is(gate.remove_member(tests.user_id('viewer')), true, 'an admin removes a viewer');
select tests.as('owner');
select throws_ok(
    $$ select gate.remove_member(tests.user_id('owner')) $$, 'SA409', null,
    'the last owner may not leave'
);

select tests.as_superuser();
select results_eq(
    $$ select organisation_id from app.memberships where user_id = tests.user_id('viewer') $$,
    array[tests.organisation('Globex')],
    'who was removed here still belongs there'
);

select * from finish();
rollback;
