begin;
select plan(6);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
delete from app.api_keys where organisation_id = tests.organisation();
insert into app.api_keys (
    organisation_id, api_key_id, name, prefix, created_by_user_id, created_at, revoked_at
)
values
    (tests.organisation(), tests.user_id('a'), 'first', 'saas_00000001', tests.user_id('owner'), '2026-01-01 00:00Z', null),
    (tests.organisation(), tests.user_id('b'), 'second', 'saas_00000002', tests.user_id('admin'), '2026-01-02 00:00Z', '2026-01-03 00:00Z'),
    (tests.organisation(), tests.user_id('c'), 'third', 'saas_00000003', tests.user_id('owner'), '2026-01-02 00:00Z', null);
insert into app.api_key_uses (organisation_id, api_key_id, last_used_at)
values (tests.organisation(), tests.user_id('a'), '2026-01-04 00:00Z');

select tests.as_nobody();
select is(
    (
        select array_agg(i ->> 'name')
        from json_array_elements(
            api.list_api_keys(tests.credential('owner'), 'r', tests.organisation(), 50, 0) -> 'items'
        ) as i
    ),
    (
        select array_agg(v.name order by v.at desc, v.id desc)
        from (
            values
                ('first', 1, tests.user_id('a')),
                ('second', 2, tests.user_id('b')),
                ('third', 2, tests.user_id('c'))
        ) as v (name, at, id)
    ),
    'an owner lists the API keys of the organisation, newest first, ties by id'
);
select is(
    (
        select i::jsonb
        from json_array_elements(
            api.list_api_keys(tests.credential('admin'), 'r', tests.organisation(), 50, 0) -> 'items'
        ) as i
        where i ->> 'name' = 'first'
    ),
    jsonb_build_object(
        'api_key_id', tests.user_id('a'), 'organisation_id', tests.organisation(), 'name', 'first',
        'prefix', 'saas_00000001', 'created_at', '2026-01-01 00:00Z'::timestamptz,
        'created_by_user_id', tests.user_id('owner'),
        'last_used_at', '2026-01-04 00:00Z'::timestamptz, 'revoked_at', null
    ),
    'an admin is told when a key was last used, and nothing secret'
);
select is(
    (
        select i ->> 'revoked_at'
        from json_array_elements(
            api.list_api_keys(tests.credential('owner'), 'r', tests.organisation(), 50, 0) -> 'items'
        ) as i
        where i ->> 'name' = 'second'
    ),
    to_json('2026-01-03 00:00Z'::timestamptz) #>> '{}',
    'a revoked API key stays in the list'
);
select is(
    api.list_api_keys(tests.credential('owner'), 'r', tests.organisation(), 1, 1)::jsonb - 'items' - 'next_cursor',
    '{"total": 3, "total_is_exact": true, "limit": 1, "offset": 1}',
    'a page says how many there are in all'
);
select is(
    json_array_length(api.list_api_keys(tests.credential('owner'), 'r', tests.organisation(), 1, 1) -> 'items'),
    1, 'a page has as many as were asked for'
);
select is(
    api.list_api_keys(tests.credential('owner'), 'r', tests.organisation(), 50, 3) ->> 'items', '[]',
    'a page past the end is empty'
);

select * from finish();
rollback;
