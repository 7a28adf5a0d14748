begin;
select plan(3);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
select tests.new_project('Apollo', 'Acme');
select tests.new_project('Gemini', 'Globex');
insert into app.projects (organisation_id, project_id, name, deleted_at)
values (tests.organisation(), tests.project('Gone'), 'Gone', now());

select tests.as_nobody();
select is(
    api.get_project(
        tests.credential('viewer'), 'r', tests.organisation(), tests.project('Apollo')
    )::text,
    format(
        '{"project_id":"%s","organisation_id":"%s","name":"Apollo","description":null,'
        '"status":"active","created_at":%s,"updated_at":%s}',
        tests.project('Apollo'), tests.organisation(), to_json(now()), to_json(now())
    ),
    'a viewer reads a project'
);
select is(
    tests.answer(
        format('select api.get_project($1, %L, $2, %L)', 'r', tests.project('Gone')),
        tests.credential('owner')
    ),
    'SA404',
    'an owner does not read a project that is deleted'
);
select is(
    tests.answer(
        format('select api.get_project($1, %L, $2, %L)', 'r', tests.project('Gemini', 'Globex')),
        tests.credential('owner')
    ),
    'SA404',
    'an owner does not read a project of another organisation'
);

select * from finish();
rollback;
