begin;
select plan(2);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
insert into app.memberships (organisation_id, user_id, role)
values (tests.organisation('Globex'), tests.user_id('owner'), 'viewer');

select tests.as_nobody();
select is(
    api.get_me(tests.credential('owner'), 'r')::jsonb,
    jsonb_build_object(
        'user_id', tests.user_id('owner'), 'email', 'owner@acme.example',
        'display_name', 'Owner', 'created_at', now(),
        'memberships', jsonb_build_array(
            jsonb_build_object(
                'organisation_id', tests.organisation(), 'name', 'Acme', 'role', 'owner'
            ),
            jsonb_build_object(
                'organisation_id', tests.organisation('Globex'), 'name', 'Globex', 'role', 'viewer'
            )
        )
    ),
    'a user of two organisations sees who they are in both, and nobody else'
);
select is(
    api.get_me(tests.credential('stranger'), 'r')::jsonb,
    jsonb_build_object(
        'user_id', tests.user_id('stranger'), 'email', 'stranger@acme.example',
        'display_name', 'Stranger', 'created_at', now(), 'memberships', '[]'::jsonb
    ),
    'a stranger has no membership'
);

select * from finish();
rollback;
