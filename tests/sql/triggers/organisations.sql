begin;
select plan(2);

select tests.new_tenant('Acme');
set local session_replication_role = replica;
update app.organisations set created_at = '2026-01-01 00:00Z', updated_at = '2026-01-01 00:00Z'
where organisation_id = tests.organisation();
set local session_replication_role = origin;

select tests.as('admin');
update app.organisations set name = name;
select results_eq(
    'select updated_at from app.organisations', array['2026-01-01 00:00Z'::timestamptz],
    'an admin who changes no value leaves updated_at as it was'
);
update app.organisations set name = 'Acme & Sons';
select results_eq(
    'select updated_at, created_at from app.organisations',
    $$ values (now(), '2026-01-01 00:00Z'::timestamptz) $$,
    'an admin who renames the organisation moves updated_at, and created_at stays'
);

select * from finish();
rollback;
