begin;
select plan(4);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
delete from app.memberships as m
where m.organisation_id = tests.organisation() and m.role <> 'owner';
insert into app.users (user_id, email)
select
    format('00000000-0000-7000-8000-00000000000%s', u.number)::uuid, u.number || '@acme.example'
from generate_series(1, 3) as u (number);
-- The last two have joined at one moment: the id, the number here, decides.
insert into app.memberships (organisation_id, user_id, role, created_at)
select tests.organisation(), u.user_id, 'member', '2026-01-01 00:00Z'
from app.users as u where u.email in ('2@acme.example', '3@acme.example');
insert into app.memberships (organisation_id, user_id, role, created_at)
select tests.organisation(), u.user_id, 'viewer', '2026-01-02 00:00Z'
from app.users as u where u.email = '1@acme.example';

create function pg_temp.list(p_limit integer, p_offset bigint)
returns text
language sql
as $$
    select coalesce(string_agg(left(i.item ->> 'email', 1), '' order by i.place), '')
        || ' of ' || (l.page ->> 'total')
    from api.list_members(
        tests.credential('owner'), 'r', tests.organisation(), p_limit, p_offset
    ) as l (page)
    left join json_array_elements(l.page -> 'items') with ordinality as i (item, place) on true
    group by l.page ->> 'total';
$$;

select tests.as_nobody();
select is(
    pg_temp.list(50, 0),
    'o132 of 4',
    'an owner lists the members, newest first, and no others'
);
select is(
    pg_temp.list(1, 0) || ', ' || pg_temp.list(2, 1) || ', ' || pg_temp.list(2, 3),
    'o of 4, 13 of 4, 2 of 4',
    'an owner pages through them, and none is repeated or skipped'
);
select is(
    api.list_members(tests.credential('owner'), 'r', tests.organisation(), 1, 0)::jsonb,
    jsonb_build_object(
        'items', jsonb_build_array(jsonb_build_object(
            'organisation_id', tests.organisation(), 'user_id', tests.user_id('owner'),
            'email', 'owner@acme.example', 'display_name', 'Owner', 'role', 'owner',
            'created_at', now(), 'updated_at', now()
        )),
        'total', 4, 'total_is_exact', true, 'limit', 1, 'offset', 0,
        'next_cursor', api.cursor('members', now()::text, tests.user_id('owner'))
    ),
    'an owner is told all of each member and no more'
);
select is(
    api.list_members(
        tests.credential('admin', 'Globex'), 'r', tests.organisation('Globex'), 5, 9
    )::jsonb,
    '{"items": [], "total": 4, "total_is_exact": true, "limit": 5, "offset": 9, "next_cursor": null}',
    'an admin who pages beyond the end is told so'
);

select * from finish();
rollback;
