begin;
select plan(7);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
insert into app.memberships (organisation_id, user_id, role)
values (tests.organisation('Globex'), tests.user_id('owner'), 'viewer');
insert into app.organisations (organisation_id, name)
select format('00000000-0000-7000-8000-00000000000%s', n)::uuid, 'Number ' || n
from generate_series(1, 3) as n;
insert into app.memberships (organisation_id, user_id, role)
select o.organisation_id, tests.user_id('viewer'), 'member'
from app.organisations as o where o.name ~ '^Number [1-3]$';

select tests.as('owner');
select results_eq(
    'select name, role from gate.own_organisations() order by name',
    $$ values ('Acme', 'owner'), ('Globex', 'viewer') $$,
    'an owner is told of their own organisations, whichever they have entered'
);
select is(gate.count_own_organisations(), 2::bigint, 'an owner of one and viewer of another has two');

select tests.as('viewer');
select results_eq(
    $$ select name from gate.own_organisations(2, 1, tests.organisation()) $$,
    $$ values ('Number 2'), ('Number 1') $$,
    'a viewer is told of the organisations after one, from an offset on and up to a limit, newest id first'
);

select tests.as('stranger');
select is_empty('select name from gate.own_organisations()', 'a stranger has none');
select is(gate.count_own_organisations(), 0::bigint, 'and none is counted');
select tests.as('api_key');
select is_empty('select name from gate.own_organisations()', 'an API key has none');
select is(gate.count_own_organisations(), 0::bigint, 'and none is counted, either');

select * from finish();
rollback;
