begin;
select plan(23);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
select tests.organisation('Empty');
insert into app.organisations (organisation_id, name) values (tests.organisation('Quiet'), 'Quiet');
insert into app.memberships (organisation_id, user_id, role)
values (tests.organisation('Quiet'), tests.user_id('owner'), 'owner');
insert into audit.events (
    audit_event_id, organisation_id, occurred_at, action, actor_type, actor_user_id, target_type,
    target_id, request_id, changes
)
select
    md5(v.name)::uuid, tests.organisation('Quiet'), v.at::timestamptz, v.action, 'user',
    tests.user_id(v.actor), 'project', tests.project(v.target), v.name, '{"name": {"old": null, "new": "x"}}'
from (
    values
        ('a', '2020-01-01 00:00Z', 'project.created', 'owner', 'Apollo'),
        ('c', '2020-01-02 00:00Z', 'project.updated', 'admin', 'Gemini'),
        ('b', '2020-01-02 00:00Z', 'project.updated', 'owner', 'Apollo'),
        ('d', '2020-01-03 00:00Z', 'project.deleted', 'admin', 'Apollo')
) as v (name, at, action, actor, target);

-- No index is to put ties in order by the way.
set local enable_indexscan = off;
set local enable_bitmapscan = off;

create function pg_temp.listed(
    p_action text default null, p_actor text default null, p_target text default null,
    p_since text default null, p_until text default '2021-01-01 00:00Z',
    p_limit integer default 50, p_offset bigint default 0
)
returns text
language sql
as $$
    select coalesce(string_agg(i ->> 'request_id', ''), '') || ' of ' || (max(l.page ->> 'total'))
    from (
        select api.list_audit_events(
            tests.credential('owner'), 'r', tests.organisation('Quiet'), p_limit, p_offset,
            p_action, tests.user_id(p_actor), tests.project(p_target),
            p_since::timestamptz, p_until::timestamptz
        ) as page
    ) as l
    left join lateral json_array_elements(l.page -> 'items') as i on true;
$$;
select tests.as_nobody();
select is(c.answer, c.expected, format('an owner lists %s', c.what))
from (
    values
        (pg_temp.listed(), case when md5('c') > md5('b') then 'dcba' else 'dbca' end || ' of 4', 'events, newest first, ties by id'),
        (pg_temp.listed(p_action => 'project.created'), 'a of 1', 'those of one action'),
        (pg_temp.listed(p_action => 'member.added'), ' of 0', 'none of an action there was not'),
        (pg_temp.listed(p_actor => 'admin', p_target => 'Gemini'), 'c of 1', 'those of one actor and one target'),
        (pg_temp.listed(p_actor => 'owner', p_action => 'project.updated'), 'b of 1', 'those of one actor and one action'),
        (pg_temp.listed(p_target => 'Apollo'), 'dba of 3', 'those of one target'),
        (pg_temp.listed(p_since => '2020-01-03 00:00Z'), 'd of 1', 'those since a moment, the moment included'),
        (pg_temp.listed(p_since => '2020-01-03 00:00:00.000001Z'), ' of 0', 'none since a moment after the last'),
        (pg_temp.listed(p_until => '2020-01-02 00:00Z'), 'a of 1', 'those until a moment, the moment excluded'),
        (pg_temp.listed(p_until => '2020-01-02 00:00:00.000001Z', p_since => '2020-01-02 01:00+01'), case when md5('c') > md5('b') then 'cb' else 'bc' end || ' of 2', 'those between two moments'),
        (pg_temp.listed(p_until => '2020-01-01 00:00Z'), ' of 0', 'none before the first'),
        (pg_temp.listed(p_limit => 1, p_offset => 3), 'a of 4', 'a page'),
        (pg_temp.listed(p_limit => 1, p_offset => 4), ' of 4', 'a page past the end')
) as c (answer, expected, what);

select is(
    (
        select i::jsonb
        from json_array_elements(
            api.list_audit_events(
                tests.credential('owner'), 'r', tests.organisation('Quiet'), 1, 0,
                'project.created', null, null, null, null
            ) -> 'items'
        ) as i
    ),
    jsonb_build_object(
        'audit_event_id', md5('a')::uuid, 'organisation_id', tests.organisation('Quiet'),
        'action', 'project.created', 'actor_type', 'user', 'actor_user_id', tests.user_id('owner'),
        'actor_api_key_id', null, 'target_type', 'project', 'target_id', tests.project('Apollo'),
        'request_id', 'a', 'changes', jsonb_build_object('name', jsonb_build_object('old', null, 'new', 'x')),
        'occurred_at', '2020-01-01 00:00Z'::timestamptz
    ),
    'an event has the fields of the contract and no more'
);
select is(
    tests.answer(
        $$ select api.list_audit_events($1, 'r', $2, 50, 0, null, null, null, null, null) $$,
        tests.credential(a.actor)
    ),
    a.answer, format('%s %s list events', a.actor, case a.answer when 'SA200' then 'may' else 'may not' end)
)
from (
    values
        ('owner', 'SA200'), ('admin', 'SA200'), ('member', 'SA403'), ('viewer', 'SA403'), ('api_key', 'SA403'),
        ('stranger', 'SA404')
) as a (actor, answer);

select is(
    tests.answer(
        $$ select api.list_audit_events($1, 'r', $2, 50, 0, null, null, null, null, null, now(), uuidv7()) $$,
        tests.credential('owner')
    ),
    'SA200', 'an owner asks for the events after one'
);
select is(
    ctx.page_time('app.occurred_at_to', 'infinity'), 'infinity',
    'and what is asked next is asked of all events'
);
select set_config('app.occurred_at_to', '2000-01-01 00:00Z', true);
select tests.as('owner');
select is((select count(*) from api.audit_events), 0::bigint, 'an owner''s page that begins early sees no later event');

select * from finish();
rollback;
