begin;
select plan(11);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
select tests.new_project('Gemini', 'Globex');
insert into app.projects (
    organisation_id, project_id, name, description, created_at, updated_at, deleted_at
)
values
    (
        tests.organisation(), tests.project('Apollo'), 'Apollo', 'To the moon',
        '2026-01-01 00:00Z', '2026-01-01 00:00Z', null
    ),
    (
        tests.organisation(), tests.project('Gone'), 'Gone', null,
        '2026-01-01 00:00Z', '2026-01-01 00:00Z', '2026-01-02 00:00Z'
    );

create function pg_temp.change(p_changes jsonb)
returns jsonb
language sql
as $$
    select api.update_project(
        tests.credential('member'), 'r', tests.organisation(), tests.project('Apollo'), p_changes
    )::jsonb - 'project_id' - 'organisation_id' - 'created_at';
$$;

select tests.as_nobody();
select is(
    pg_temp.change('{"name": "Apollo", "description": "To the moon", "status": "active"}'),
    '{"name": "Apollo", "description": "To the moon", "status": "active",
    "updated_at": "2026-01-01T00:00:00+00:00"}',
    'a member who changes nothing leaves updated_at as it was'
);
select is(
    pg_temp.change('{"name": "Vostok"}') - 'updated_at',
    '{"name": "Vostok", "description": "To the moon", "status": "active"}',
    'a member changes the name alone'
);
select is(
    pg_temp.change('{"status": "archived"}') ->> 'updated_at',
    to_json(now()) #>> '{}',
    'a member who changes something moves updated_at'
);
select is(
    pg_temp.change('{"description": "To orbit"}') - 'updated_at',
    '{"name": "Vostok", "description": "To orbit", "status": "archived"}',
    'a member changes the description alone'
);
select is(
    pg_temp.change('{"description": null, "status": "active"}') - 'updated_at',
    '{"name": "Vostok", "description": null, "status": "active"}',
    'a member takes the description away'
);
select is(
    (select array_agg(b.key) from json_object_keys(
        api.update_project(
            tests.credential('member'), 'r', tests.organisation(), tests.project('Apollo'), '{}'
        )
    ) as b (key)),
    '{project_id,organisation_id,name,description,status,created_at,updated_at}',
    'a member who changes a project is told all of it and no more'
);
select is(
    tests.answer(
        format(
            'select api.update_project($1, %L, $2, %L, %L)',
            'r', coalesce(v.project_id, tests.project('Apollo')), v.changes
        ),
        tests.credential('owner')
    ),
    v.answer,
    format('an owner %s', v.what)
)
from (
    values
        (
            null, '{"name": " "}', '23514 projects_name_not_blank',
            'may not blank the name of a project'
        ),
        (null, '{"status": "deleted"}', '23514 projects_status_known', 'may not make up a status'),
        (
            tests.project('Gone'), '{"name": "x"}', 'SA404',
            'may not change a project that is deleted'
        ),
        (
            tests.project('Gemini', 'Globex'), '{"name": "x"}', 'SA404',
            'may not change a project of another organisation'
        )
) as v (project_id, changes, answer, what);

select tests.as_superuser();
select is(
    (select array_agg(p.name || ' ' || p.created_at::date order by p.name) from app.projects as p
    where p.organisation_id = tests.organisation()),
    array['Gone 2026-01-01', 'Vostok 2026-01-01'],
    'no other project has changed, and none its created_at'
);

select * from finish();
rollback;
