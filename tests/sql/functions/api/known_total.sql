begin;
select plan(6);

select tests.as_nobody();
select is(
    api.known_total('[1, 2]', 0, false, null), 2::bigint, 'a list that is one page is that long'
);
select is(
    api.known_total('[1, 2]', 3, false, null), 5::bigint,
    'a list whose last page is reached by offset is that long'
);
select is(api.known_total('[]', 0, false, null), 0::bigint, 'an empty list has no rows');
select is(
    api.known_total('[]', 3, false, null), null::bigint,
    'beyond the end nobody knows how far it is back'
);
select is(
    api.known_total('[1, 2]', 0, true, null), null::bigint, 'a page that others follow is not all'
);
select is(
    api.known_total('[1, 2]', 0, false, '00000000-0000-7000-8000-000000000001'), null::bigint,
    'a page after a cursor has others before it'
);

select * from finish();
rollback;
