begin;
select plan(3);

select tests.new_tenant('Acme');
insert into app.projects (organisation_id, name, created_at, updated_at)
values (tests.organisation(), 'Apollo', '2026-01-01 00:00Z', '2026-01-01 00:00Z');

select tests.as('member');
update app.projects set name = name, description = description, status = status;
select results_eq(
    'select updated_at from app.projects', array['2026-01-01 00:00Z'::timestamptz],
    'a member who changes no value leaves updated_at as it was'
);
update app.projects set description = 'x';
select results_eq(
    'select updated_at, created_at from app.projects',
    $$ values (now(), '2026-01-01 00:00Z'::timestamptz) $$,
    'a member who changes null into a value moves updated_at, and created_at stays'
);

select tests.as_superuser();
update app.projects set updated_at = '2026-01-01 00:00Z' where organisation_id = tests.organisation();
select results_eq(
    'select updated_at from app.projects where organisation_id = tests.organisation()', array[now()],
    'not even a superuser sets updated_at by the way'
);

select * from finish();
rollback;
