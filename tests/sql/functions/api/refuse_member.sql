begin;
select plan(4);

select tests.new_tenant('Acme');

select tests.as('owner');
select throws_ok(
    'select api.refuse_member(tests.organisation(), tests.user_id(''admin''))', 'SA403', null,
    'an owner is told that the role is too low for a member who is there'
);
select throws_ok(
    'select api.refuse_member(tests.organisation(), tests.user_id(''stranger''))', 'SA404', null,
    'an owner is told that a stranger is no member'
);
select tests.as('viewer');
select throws_ok(
    'select api.refuse_member(tests.organisation(), tests.user_id(''stranger''))', 'SA403', null,
    'a viewer is not told who is no member'
);
select tests.as_nobody();
select throws_ok(
    'select api.refuse_member(tests.organisation(), tests.user_id(''admin''))', 'SA401', null,
    'nobody is told a thing without a context'
);

select * from finish();
rollback;
