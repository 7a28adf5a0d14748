begin;
select plan(5);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
select tests.new_project('Apollo', 'Acme');
select tests.new_project('Vostok', 'Acme');
select tests.new_project('Gemini', 'Globex');

select tests.as_nobody();
select lives_ok(
    $$
    select api.delete_project(
        tests.credential('member'), 'r', tests.organisation(), tests.project('Apollo')
    )
    $$,
    'a member deletes a project'
);
select is(
    tests.answer(
        format('select api.delete_project($1, %L, $2, %L)', 'r', tests.project('Apollo')),
        tests.credential('owner')
    ),
    'SA404',
    'an owner may not delete a project twice'
);
select is(
    tests.answer(
        format('select api.delete_project($1, %L, $2, %L)', 'r', tests.project('Gemini', 'Globex')),
        tests.credential('owner')
    ),
    'SA404',
    'an owner may not delete a project of another organisation'
);
select is(
    (api.list_projects(
        tests.credential('owner'), 'r', tests.organisation(), 50, 0, null, null, 'name', 'asc'
    ) ->> 'total')::integer,
    1,
    'an owner finds no deleted project in a list'
);

select tests.as_superuser();
select results_eq(
    $$
    select name, deleted_at = now() from app.projects
    where organisation_id in (tests.organisation(), tests.organisation('Globex'))
    order by name
    $$,
    $$ values ('Apollo', true), ('Gemini', null), ('Vostok', null) $$,
    'a deleted project is still there, marked, and no other is'
);

select * from finish();
rollback;
