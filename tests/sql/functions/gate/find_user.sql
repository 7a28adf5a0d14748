begin;
select plan(8);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');

select tests.as('admin');
select is(
    gate.find_user('STRANGER@globex.example'), tests.user_id('stranger', 'Globex'),
    'an admin finds a user by email, whatever its case'
);
select is(gate.find_user('nobody@globex.example'), null, 'an admin does not find who is not there');
select is(gate.find_user('%'), null, 'an admin finds nobody by a pattern');
select tests.as('owner');
select is(
    gate.find_user('viewer@globex.example'), tests.user_id('viewer', 'Globex'),
    'an owner finds a user by email'
);
select tests.as('member');
select throws_ok(
    $$ select gate.find_user('viewer@globex.example') $$, 'SA403', null, 'a member finds nobody'
);
select tests.as('viewer');
select throws_ok(
    $$ select gate.find_user('viewer@globex.example') $$, 'SA403', null, 'a viewer finds nobody'
);
select tests.as('api_key');
select throws_ok(
    $$ select gate.find_user('viewer@globex.example') $$, 'SA403', null, 'an API key finds nobody'
);
select tests.as('stranger');
select throws_ok(
    $$ select gate.find_user('viewer@globex.example') $$, 'SA403', null, 'a stranger finds nobody'
);

select * from finish();
rollback;
