begin;
select plan(3);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
insert into app.memberships (organisation_id, user_id, role)
values (tests.organisation('Globex'), tests.user_id('owner'), 'viewer');

select tests.as('owner');
select results_eq(
    'select name, role from gate.own_organisations() order by name',
    $$ values ('Acme', 'owner'), ('Globex', 'viewer') $$,
    'an owner is told of their own organisations, whichever they have entered'
);
select tests.as('stranger');
select is_empty('select name from gate.own_organisations()', 'a stranger has none');
select tests.as('api_key');
select is_empty('select name from gate.own_organisations()', 'an API key has none');

select * from finish();
rollback;
