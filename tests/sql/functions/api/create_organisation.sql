begin;
select plan(8);

select tests.new_tenant('Acme');

select tests.as_nobody();
select is(
    (
        select array_agg(b.key)
        from api.create_organisation(tests.credential('stranger'), 'r', 'Hooli', null, null) as c,
            json_object_keys(c.body) as b (key)
        where not c.replayed
    ),
    '{organisation_id,name,created_at,updated_at}',
    'a stranger who founds an organisation is told all of it and no more'
);
select is(
    array[ctx.user_id()::text, ctx.role(), ctx.request_id()],
    array[tests.user_id('stranger')::text, 'owner', 'r'],
    'a founder goes on as the owner'
);
select results_eq(
    'select name from app.organisations', array['Hooli'],
    'a founder has entered the new organisation'
);
select is(
    tests.answer(
        format('select api.create_organisation($1, %L, %L, null, null)', 'r', n.name),
        tests.credential('stranger')
    ),
    n.answer,
    format('a stranger %s', n.what)
)
from (
    values
        (
            E'\t', '23514 organisations_name_not_blank',
            'may not found an organisation with a blank name'
        ),
        (repeat('é', 200), 'SA200', 'may use 200 characters for a name'),
        (
            repeat('é', 201), '23514 organisations_name_not_blank',
            'may not use 201 characters for a name'
        ),
        ('Acme', 'SA200', 'may found an organisation of the same name')
) as n (name, answer, what);

select tests.as_superuser();
select results_eq(
    $$
    select m.user_id, m.role, uuid_extract_version(o.organisation_id)::integer
    from app.organisations as o
    left join app.memberships as m using (organisation_id)
    where o.name = 'Hooli'
    $$,
    $$ values (tests.user_id('stranger'), 'owner', 7) $$,
    'the founder is the first owner, and its one member'
);

select * from finish();
rollback;
