begin;
select plan(4);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
insert into app.organisations (organisation_id, name, created_at)
select
    format('00000000-0000-7000-8000-00000000000%s', o.number)::uuid, 'Number ' || o.number,
    '2026-01-01 00:00Z'::timestamptz + o.created * interval '1 day'
from (values (1, 1), (2, 2), (3, 2), (4, 3)) as o (number, created);
insert into app.memberships (organisation_id, user_id, role)
select o.organisation_id, tests.user_id('stranger'), 'viewer'
from app.organisations as o where o.name ~ 'Number [1-3]';

create function pg_temp.list(p_limit integer, p_offset bigint)
returns text
language sql
as $$
    select coalesce(string_agg(right(i.item ->> 'name', 1), '' order by i.place), '')
        || ' of ' || (l.page ->> 'total')
    from api.list_organisations(tests.credential('stranger'), 'r', p_limit, p_offset) as l (page)
    left join json_array_elements(l.page -> 'items') with ordinality as i (item, place) on true
    group by l.page ->> 'total';
$$;

select tests.as_nobody();
select is(
    pg_temp.list(50, 0),
    '321 of 3',
    'a user lists the organisations they belong to, newest first'
);
select is(
    pg_temp.list(1, 0) || ', ' || pg_temp.list(1, 1) || ', ' || pg_temp.list(1, 2),
    '3 of 3, 2 of 3, 1 of 3',
    'a user pages through them, and none is repeated or skipped'
);
select is(
    api.list_organisations(tests.credential('owner'), 'r', 50, 0)::jsonb,
    jsonb_build_object(
        'items', jsonb_build_array(jsonb_build_object(
            'organisation_id', tests.organisation(), 'name', 'Acme',
            'created_at', now(), 'updated_at', now()
        )),
        'total', 1, 'total_is_exact', true, 'limit', 50, 'offset', 0, 'next_cursor', null
    ),
    'an owner of one organisation is told all of it and nothing of another'
);
select is(
    api.list_organisations(tests.credential('stranger', 'Globex'), 'r', 10, 5)::jsonb,
    '{"items": [], "total": 0, "total_is_exact": true, "limit": 10, "offset": 5, "next_cursor": null}',
    'a stranger has none'
);

select * from finish();
rollback;
