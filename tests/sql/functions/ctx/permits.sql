begin;
select plan(12);

select tests.new_tenant('Acme');

create function pg_temp.permissions()
returns text[]
language sql
as $$
    select array_agg(p.permission order by p.permission collate "C")
    from unnest(array[
        'organisation.read', 'organisation.update', 'members.read', 'members.write',
        'owners.write', 'projects.read', 'projects.write', 'made.up', '', null
    ]) as p (permission)
    where ctx.permits(p.permission);
$$;

select tests.as('owner');
select is(
    pg_temp.permissions(),
    array[
        'members.read', 'members.write', 'organisation.read', 'organisation.update',
        'owners.write', 'projects.read', 'projects.write'
    ],
    'an owner may do everything there is'
);
select tests.as('admin');
select is(
    pg_temp.permissions(),
    array[
        'members.read', 'members.write', 'organisation.read', 'organisation.update',
        'projects.read', 'projects.write'
    ],
    'an admin may do everything but make owners'
);
select tests.as('member');
select is(
    pg_temp.permissions(), '{organisation.read,projects.read,projects.write}',
    'a member may read the organisation, and write projects'
);
select tests.as('viewer');
select is(pg_temp.permissions(), '{organisation.read,projects.read}', 'a viewer may read');
select tests.as('api_key');
select is(
    pg_temp.permissions(), '{projects.read,projects.write}', 'an API key may write projects'
);
select tests.as('stranger');
select is(pg_temp.permissions(), null, 'a stranger may do nothing');

-- The gate asks, too.
select tests.as('owner');
set local role saas_gate;
select is(
    array[
        ctx.user_id()::text, ctx.api_key_id()::text, ctx.tenant_id()::text, ctx.role(),
        ctx.request_id(), ctx.permits('owners.write')::text
    ],
    array[
        tests.user_id('owner')::text, null, tests.organisation()::text, 'owner', 'tests', 'true'
    ],
    'the gate sees the context of an owner'
);

select tests.as('owner');
select throws_ok(
    'select from ctx.permission', '42501', null, 'an owner may not read the relation itself'
);


-- A role that the permissions do not know has none, at the gate either: null is no yes.
select tests.as_superuser();
create or replace function ctx.permissions() returns jsonb language sql immutable parallel safe
return '{"owner": ["projects.read"]}'::jsonb;
select tests.as('owner');
select is(ctx.permits('projects.write'), false, 'an owner loses what is taken away, in plans made before');
select gate.enter(tests.credential('owner'), 'r', tests.organisation(), 'projects.read');
select throws_ok(
    format(
        'select gate.enter(%L, %L, %L, %L)',
        tests.credential(a.actor), 'r', tests.organisation(), a.permission
    ),
    'SA403', 'role too low', format('%s without a permission of that name may not enter', a.actor)
)
from (values ('viewer', 'projects.read'), ('owner', null), ('owner', 'made.up')) as a (actor, permission);

select * from finish();
rollback;
