begin;
select plan(36);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
select tests.new_project('Globex''s', 'Globex');

-- Two projects are made at one moment, two changed at one moment, two have one name: the id,
-- the number here, decides.
insert into app.projects (
    organisation_id, project_id, name, status, created_at, updated_at, deleted_at
)
select
    tests.organisation(), format('00000000-0000-7000-8000-00000000000%s', p.number)::uuid,
    p.name, p.status, '2026-01-01 00:00Z'::timestamptz + p.created * interval '1 day',
    '2026-02-01 00:00Z'::timestamptz + p.updated * interval '1 day', p.deleted_at
from (
    values
        (1, 'École', 'active', 1, 4, null::timestamptz),
        (2, 'apollo', 'archived', 2, 3, null),
        (3, '100 % sure_thing', 'active', 2, 2, null),
        (4, 'Straße', 'active', 3, 2, null),
        (5, 'apollo', 'active', 4, 1, null),
        (6, 'gone', 'active', 5, 5, now())
) as p (number, name, status, created, updated, deleted_at);

create function pg_temp.list(
    p_sort_by text,
    p_sort_direction text,
    p_status text default null,
    p_name text default null,
    p_limit integer default 50,
    p_offset bigint default 0
)
returns text
language sql
as $$
    select coalesce(string_agg(right(i.item ->> 'project_id', 1), '' order by i.place), '')
        || ' of ' || (l.page ->> 'total')
    from api.list_projects(
        tests.credential('viewer'), 'r', tests.organisation(),
        p_limit, p_offset, p_status, p_name, p_sort_by, p_sort_direction
    ) as l (page)
    left join json_array_elements(l.page -> 'items') with ordinality as i (item, place) on true
    group by l.page ->> 'total';
$$;

-- From page to page, two at a time, as each says where the next one is.
create function pg_temp.follow(p_sort_by text, p_sort_direction text)
returns text
language plpgsql
as $$
declare
    v_page json;
    v_cursor json;
    v_ids text := '';
begin
    loop
        v_page := api.list_projects(
            tests.credential('viewer'), 'r', tests.organisation(), 2, 0, null, null,
            p_sort_by, p_sort_direction, v_cursor ->> 1, (v_cursor ->> 2)::uuid
        );
        v_ids := v_ids || (
            select coalesce(string_agg(right(i.item ->> 'project_id', 1), '' order by i.place), '-')
            from json_array_elements(v_page -> 'items') with ordinality as i (item, place)
        ) || ' ';
        exit when v_page ->> 'next_cursor' is null;
        v_cursor := convert_from(
            decode(rpad(
                translate(v_page ->> 'next_cursor', '-_', '+/'),
                (length(v_page ->> 'next_cursor') + 3) / 4 * 4, '='
            ), 'base64'),
            'UTF8'
        );
    end loop;
    return rtrim(v_ids);
end
$$;

select tests.as_nobody();
select is(
    pg_temp.list(o.by, o.direction),
    o.answer || ' of 5',
    format('a viewer lists by %s, %s', o.by, o.direction)
)
from (
    values
        ('created_at', 'desc', '54321'),
        ('created_at', 'asc', '12345'),
        ('updated_at', 'desc', '12435'),
        ('updated_at', 'asc', '53421'),
        ('name', 'asc', '34251'),
        ('name', 'desc', '15243')
) as o (by, direction, answer);

select is(
    pg_temp.list(o.by, o.direction, null, null, 2, 0) || ', '
    || pg_temp.list(o.by, o.direction, null, null, 2, 2) || ', '
    || pg_temp.list(o.by, o.direction, null, null, 2, 4) || ', '
    || pg_temp.list(o.by, o.direction, null, null, 2, 6),
    regexp_replace(o.answer, '(..)(..)(.)', '\1 of 5, \2 of 5, \3 of 5,  of 5'),
    format(
        'a viewer pages through them by %s, %s, and none is repeated or skipped',
        o.by,
        o.direction
    )
)
from (
    values
        ('created_at', 'desc', '54321'),
        ('created_at', 'asc', '12345'),
        ('updated_at', 'desc', '12435'),
        ('updated_at', 'asc', '53421'),
        ('name', 'asc', '34251'),
        ('name', 'desc', '15243')
) as o (by, direction, answer);

select is(
    pg_temp.list('created_at', 'asc', 'archived'),
    '2 of 1',
    'a viewer lists the archived projects'
);
select is(
    pg_temp.list('created_at', 'asc', 'active'),
    '1345 of 4',
    'a viewer lists the active projects'
);
select is(
    pg_temp.list('created_at', 'asc', null, n.part), n.answer,
    format('a viewer who looks for %s finds %s', n.part, n.answer)
)
from (
    values
        ('ÉCO', '1 of 1'),
        ('école', '1 of 1'),
        ('eco', ' of 0'),
        ('POLL', '25 of 2'),
        ('STRASSE', '4 of 1'),
        ('straße', '4 of 1'),
        ('%', '3 of 1'),
        ('_', '3 of 1'),
        ('100_%', ' of 0'),
        ('gone', ' of 0'),
        ('globex', ' of 0'),
        ('\', ' of 0')
) as n (part, answer);
select is(
    pg_temp.list('created_at', 'desc', 'active', 'apollo'), '5 of 1',
    'a viewer combines both filters'
);

select is(
    (api.list_projects(
        tests.credential('viewer'), 'r', tests.organisation(), 1, 7, null, null, 'name', 'asc'
    )::jsonb),
    '{"items": [], "total": 5, "total_is_exact": true, "limit": 1, "offset": 7, "next_cursor": null}',
    'a viewer who pages beyond the end is told so'
);
select is(
    (select array_agg(b.key) from json_object_keys(
        api.list_projects(
            tests.credential('viewer'), 'r', tests.organisation(), 1, 0, null, null, 'name', 'asc'
        ) -> 'items' -> 0
    ) as b (key)),
    '{project_id,organisation_id,name,description,status,created_at,updated_at}',
    'a viewer is told all of each project and no more'
);

select is(
    pg_temp.follow(o.by, o.direction), o.answer,
    format('a viewer goes from page to page by %s, %s, and ends with the last row', o.by, o.direction)
)
from (
    values
        ('created_at', 'desc', '54 32 1'),
        ('created_at', 'asc', '12 34 5'),
        ('updated_at', 'desc', '12 43 5'),
        ('updated_at', 'asc', '53 42 1'),
        ('name', 'asc', '34 25 1'),
        ('name', 'desc', '15 24 3')
) as o (by, direction, answer);
select is(
    pg_temp.list('created_at', 'desc'), '54321 of 5',
    'a list from the beginning is whole again afterwards'
);

select * from finish();
rollback;
