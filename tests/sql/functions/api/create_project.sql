begin;
select plan(11);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');

select tests.as_nobody();
select is(
    (
        select array_agg(b.key)
        from
            api.create_project(
                tests.credential('member'), 'r', tests.organisation(),
                'Apollo', 'To the moon', 'archived', null, null
            ) as c,
            json_object_keys(c.body) as b (key)
        where not c.replayed
    ),
    '{project_id,organisation_id,name,description,status,created_at,updated_at}',
    'a member who creates a project is told all of it and no more'
);
select is(
    (
        select c.body::jsonb - 'project_id' - 'created_at' - 'updated_at'
        from api.create_project(
            tests.credential('api_key'), 'r', tests.organisation(),
            'Gemini', null, 'active', null, null
        ) as c
    ),
    jsonb_build_object(
        'organisation_id', tests.organisation(), 'name', 'Gemini', 'description', null,
        'status', 'active'
    ),
    'an API key creates the project it describes'
);

-- Values that slipped through the adapter.
select is(
    tests.answer(
        format(
            'select api.create_project($1, %L, $2, %L, %L, %L, null, null)',
            'r', v.name, v.description, v.status
        ),
        tests.credential('owner')
    ),
    v.answer,
    format('an owner %s', v.what)
)
from (
    values
        (
            '', null, 'active', '23514 projects_name_not_blank',
            'may not create a project without a name'
        ),
        (
            E' \t\n', null, 'active', '23514 projects_name_not_blank',
            'may not create a project with a blank name'
        ),
        (null, null, 'active', '23502', 'may not create a project with a null name'),
        (
            repeat('é', 200), repeat('é', 2000), 'active', 'SA200',
            'may use 200 and 2,000 characters'
        ),
        (
            repeat('é', 201), null, 'active', '23514 projects_name_not_blank',
            'may not use 201 characters for a name'
        ),
        (
            'x', repeat('é', 2001), 'active', '23514 projects_description_length',
            'may not use 2,001 characters for a description'
        ),
        ('x', null, 'deleted', '23514 projects_status_known', 'may not make up a status')
) as v (name, description, status, answer, what);

select tests.as_superuser();
select results_eq(
    $$
    select name, description, status, deleted_at is null, created_at = now(), updated_at = now(),
        uuid_extract_version(project_id)::integer
    from app.projects where organisation_id = tests.organisation() order by name
    $$,
    $$
    values
        ('Apollo', 'To the moon', 'archived', true, true, true, 7),
        ('Gemini', null, 'active', true, true, true, 7)
    $$,
    'what was created is there, made now, under an id of version 7'
);
select is_empty(
    $$ select from app.projects where organisation_id = tests.organisation('Globex') $$,
    'and nothing was created elsewhere'
);

select * from finish();
rollback;
