begin;
select plan(5);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');

select tests.as('viewer');
select set_config('tests.organisation', gate.create_organisation('Hooli')::text, true);
select is(
    array[ctx.tenant_id()::text, ctx.user_id()::text, ctx.role(), ctx.request_id()],
    array[current_setting('tests.organisation'), tests.user_id('viewer')::text, 'owner', 'tests'],
    'a viewer who founds an organisation owns that one'
);
select is_empty(
    $$ select from app.organisations where organisation_id = tests.organisation() $$,
    'and has left the other'
);
select tests.as('viewer');
select is(ctx.role(), 'viewer', 'where they are still a viewer');
select tests.as('api_key');
select throws_ok(
    $$ select gate.create_organisation('x') $$, 'SA403', null, 'an API key founds no organisation'
);
select is(ctx.role(), 'api_key', 'and stays what it is');

select * from finish();
rollback;
