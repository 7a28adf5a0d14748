begin;
select plan(5);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
-- As if both had been founded long ago.
set local session_replication_role = replica;
update app.organisations set created_at = '2026-01-01 00:00Z', updated_at = '2026-01-01 00:00Z'
where organisation_id in (tests.organisation(), tests.organisation('Globex'));
set local session_replication_role = origin;

select tests.as_nobody();
select is(
    api.update_organisation(
        tests.credential('admin'), 'r', tests.organisation(), '{"name": "Acme"}'
    )::jsonb,
    jsonb_build_object(
        'organisation_id', tests.organisation(), 'name', 'Acme',
        'created_at', '2026-01-01T00:00:00+00:00', 'updated_at', '2026-01-01T00:00:00+00:00'
    ),
    'an admin who changes nothing leaves updated_at as it was'
);
select is(
    api.update_organisation(tests.credential('admin'), 'r', tests.organisation(), '{}') ->> 'name',
    'Acme',
    'an admin who names no field changes nothing'
);
select is(
    api.update_organisation(
        tests.credential('admin'), 'r', tests.organisation(), '{"name": "Acme & Sons"}'
    )::jsonb,
    jsonb_build_object(
        'organisation_id', tests.organisation(), 'name', 'Acme & Sons',
        'created_at', '2026-01-01T00:00:00+00:00', 'updated_at', now()
    ),
    'an admin renames the organisation'
);
select is(
    tests.answer(
        $$ select api.update_organisation($1, 'r', $2, '{"name": " "}') $$,
        tests.credential('owner')
    ),
    '23514 organisations_name_not_blank',
    'an owner may not blank the name'
);

select tests.as_superuser();
select results_eq(
    $$ select name, updated_at from app.organisations where organisation_id = tests.organisation('Globex') $$,
    $$ values ('Globex', '2026-01-01 00:00Z'::timestamptz) $$,
    'no other organisation has changed'
);

select * from finish();
rollback;
