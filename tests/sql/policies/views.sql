-- What is granted on views: they ask with the rights of who reads them (lists of projects with their
-- owner's), and need these besides.
begin;
select plan(6);

select results_eq(
    $$ select * from tests.grants('api.users') $$,
    array[
        'saas_api: SELECT'
    ],
    'api.users is granted to whom it must be and to nobody else'
);
select results_eq(
    $$ select * from tests.grants('api.organisations') $$,
    array[
        'saas_api: SELECT'
    ],
    'api.organisations is granted to whom it must be and to nobody else'
);
select results_eq(
    $$ select * from tests.grants('api.members') $$,
    array[
        'saas_api: SELECT'
    ],
    'api.members is granted to whom it must be and to nobody else'
);
select results_eq(
    $$ select * from tests.grants('api.projects') $$,
    array[
        'saas_api: INSERT of organisation_id, name, description, status',
        'saas_api: SELECT',
        'saas_api: UPDATE of name, description, status'
    ],
    'api.projects is granted to whom it must be and to nobody else'
);
select results_eq(
    $$ select * from tests.grants('api.listed_projects') $$,
    array[
        'saas_api: SELECT'
    ],
    'api.listed_projects is granted to whom it must be and to nobody else'
);
select results_eq(
    $$ select * from tests.grants('ctx.permission') $$,
    array[
        'saas_gate: SELECT'
    ],
    'ctx.permission is granted to whom it must be and to nobody else'
);

select * from finish();
rollback;
