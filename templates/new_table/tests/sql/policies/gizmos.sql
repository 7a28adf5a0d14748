begin;
select plan(105);

-- All that is granted.
select results_eq(
    $$ select * from tests.grants('app.gizmos') $$,
    array[
        'saas_api: INSERT of organisation_id, name',
        'saas_api: SELECT',
        'saas_api: UPDATE of name, deleted_at'
    ],
    'app.gizmos is granted to whom it must be and to nobody else'
);
select results_eq(
    $$ select * from tests.grants('api.gizmos') $$,
    array[
        'saas_api: INSERT of organisation_id, name',
        'saas_api: SELECT',
        'saas_api: UPDATE of name'
    ],
    'api.gizmos is granted to whom it must be and to nobody else'
);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
insert into app.gizmos (organisation_id, name)
values (tests.organisation('Acme'), 'Apollo'), (tests.organisation('Globex'), 'Gemini');

-- An owner.
select tests.as('owner');
select ok(
    'Apollo' in (select name from app.gizmos)
    and not exists (select from app.gizmos where organisation_id <> tests.organisation('Acme')),
    'an owner reads the gizmos of the organisation and no other'
);
select lives_ok(
    $$
    insert into app.gizmos (organisation_id, name)
    values (tests.organisation('Acme'), 'Mercury')
    $$,
    'an owner creates a gizmo'
);
select throws_ok(
    $$
    insert into app.gizmos (organisation_id, name)
    values (tests.organisation('Globex'), 'x')
    $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "gizmos"',
    'an owner may not create a gizmo in another organisation'
);
select results_eq(
    $$ update app.gizmos set name = 'Mercury 2' where name = 'Mercury' returning name $$,
    array['Mercury 2'],
    'an owner renames a gizmo'
);
select is_empty(
    $$
    update app.gizmos set name = 'x' where organisation_id = tests.organisation('Globex')
    returning name
    $$,
    'an owner may not rename a gizmo of another organisation'
);
select is_empty(
    $$
    select name from app.gizmos where organisation_id = tests.organisation('Globex')
    for update
    $$,
    'an owner may not lock the row of a gizmo of another organisation'
);
select results_eq(
    $$ update app.gizmos set deleted_at = now() where name = 'Mercury 2' returning name $$,
    array['Mercury 2'],
    'an owner deletes a gizmo softly'
);
select tests.may_not_delete_or_stop('an owner', 'app.gizmos');

-- An admin.
select tests.as('admin');
select ok(
    'Apollo' in (select name from app.gizmos)
    and not exists (select from app.gizmos where organisation_id <> tests.organisation('Acme')),
    'an admin reads the gizmos of the organisation and no other'
);
select lives_ok(
    $$
    insert into app.gizmos (organisation_id, name)
    values (tests.organisation('Acme'), 'Vostok')
    $$,
    'an admin creates a gizmo'
);
select throws_ok(
    $$
    insert into app.gizmos (organisation_id, name)
    values (tests.organisation('Globex'), 'x')
    $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "gizmos"',
    'an admin may not create a gizmo in another organisation'
);
select results_eq(
    $$ update app.gizmos set name = 'Vostok 2' where name = 'Vostok' returning name $$,
    array['Vostok 2'],
    'an admin renames a gizmo'
);
select is_empty(
    $$
    update app.gizmos set name = 'x' where organisation_id = tests.organisation('Globex')
    returning name
    $$,
    'an admin may not rename a gizmo of another organisation'
);
select is_empty(
    $$
    select name from app.gizmos where organisation_id = tests.organisation('Globex')
    for update
    $$,
    'an admin may not lock the row of a gizmo of another organisation'
);
select results_eq(
    $$ update app.gizmos set deleted_at = now() where name = 'Vostok 2' returning name $$,
    array['Vostok 2'],
    'an admin deletes a gizmo softly'
);
select tests.may_not_delete_or_stop('an admin', 'app.gizmos');

-- A member.
select tests.as('member');
select ok(
    'Apollo' in (select name from app.gizmos)
    and not exists (select from app.gizmos where organisation_id <> tests.organisation('Acme')),
    'a member reads the gizmos of the organisation and no other'
);
select lives_ok(
    $$
    insert into app.gizmos (organisation_id, name)
    values (tests.organisation('Acme'), 'Soyuz')
    $$,
    'a member creates a gizmo'
);
select throws_ok(
    $$
    insert into app.gizmos (organisation_id, name)
    values (tests.organisation('Globex'), 'x')
    $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "gizmos"',
    'a member may not create a gizmo in another organisation'
);
select results_eq(
    $$ update app.gizmos set name = 'Soyuz 2' where name = 'Soyuz' returning name $$,
    array['Soyuz 2'],
    'a member renames a gizmo'
);
select is_empty(
    $$
    update app.gizmos set name = 'x' where organisation_id = tests.organisation('Globex')
    returning name
    $$,
    'a member may not rename a gizmo of another organisation'
);
select is_empty(
    $$
    select name from app.gizmos where organisation_id = tests.organisation('Globex')
    for update
    $$,
    'a member may not lock the row of a gizmo of another organisation'
);
select results_eq(
    $$ update app.gizmos set deleted_at = now() where name = 'Soyuz 2' returning name $$,
    array['Soyuz 2'],
    'a member deletes a gizmo softly'
);
select tests.may_not_delete_or_stop('a member', 'app.gizmos');

-- An API key, which has no right here.
select tests.as('api_key');
select is_empty('select name from app.gizmos', 'an API key reads no gizmo');
select throws_ok(
    $$ insert into app.gizmos (organisation_id, name) values (tests.organisation('Acme'), 'x') $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "gizmos"',
    'an API key may not create a gizmo'
);
select is_empty(
    $$ update app.gizmos set name = 'x' returning name $$, 'an API key may not rename a gizmo'
);
select tests.may_not_delete_or_stop('an API key', 'app.gizmos');

-- A viewer.
select tests.as('viewer');
select ok(
    'Apollo' in (select name from app.gizmos)
    and not exists (select from app.gizmos where organisation_id <> tests.organisation('Acme')),
    'a viewer reads the gizmos of the organisation and no other'
);
select throws_ok(
    $$ insert into app.gizmos (organisation_id, name) values (tests.organisation('Acme'), 'x') $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "gizmos"',
    'a viewer may not create a gizmo'
);
select throws_ok(
    $$
    insert into app.gizmos (organisation_id, name)
    values (tests.organisation('Globex'), 'x')
    $$,
    '42501', null,
    'a viewer may not create a gizmo in another organisation'
);
select is_empty(
    $$ update app.gizmos set name = 'x' returning name $$,
    'a viewer may not rename a gizmo'
);
select is_empty(
    $$ update app.gizmos set deleted_at = now() returning name $$,
    'a viewer may not delete a gizmo softly'
);
select is_empty(
    $$ select name from app.gizmos for update $$,
    'a viewer may not lock the row of a gizmo'
);
select tests.may_not_delete_or_stop('a viewer', 'app.gizmos');

-- The owner of another organisation: the same wall from the other side.
select tests.as('owner', 'Globex');
select results_eq(
    'select name from app.gizmos', array['Gemini'],
    'an owner of another organisation reads its gizmos and no other'
);
select is_empty(
    $$
    update app.gizmos set name = 'x'
    where organisation_id = tests.organisation('Acme') returning name
    $$,
    'an owner of another organisation may not rename a gizmo'
);

-- A stranger: a user who has entered no organisation.
select tests.as('stranger');
select is_empty('select name from app.gizmos', 'a stranger reads no gizmo');
select throws_ok(
    $$ insert into app.gizmos (organisation_id, name) values (tests.organisation('Acme'), 'x') $$,
    '42501', null,
    'a stranger may not create a gizmo'
);
select is_empty(
    $$ update app.gizmos set name = 'x' returning name $$,
    'a stranger may not rename a gizmo'
);
select tests.may_not_delete_or_stop('a stranger', 'app.gizmos');

-- No context: an error, never an empty answer.
select tests.as_nobody();
select throws_ok(
    'select name from app.gizmos', 'SA401', null,
    'nobody reads a gizmo without a context'
);
select throws_ok(
    $$ insert into app.gizmos (organisation_id, name) values (tests.organisation('Acme'), 'x') $$,
    'SA401', null,
    'nobody creates a gizmo without a context'
);
select throws_ok(
    $$ update app.gizmos set name = 'x' $$, 'SA401', null,
    'nobody renames a gizmo without a context'
);
select tests.may_not_delete_or_stop('nobody', 'app.gizmos');

-- A forged context.
select tests.as_forger('owner');
select throws_ok(
    'select name from app.gizmos', 'SA401', null,
    'a forger reads no gizmo'
);
select throws_ok(
    $$ insert into app.gizmos (organisation_id, name) values (tests.organisation('Acme'), 'x') $$,
    'SA401', null,
    'a forger may not create a gizmo'
);
select throws_ok(
    $$ update app.gizmos set name = 'x' $$, 'SA401', null,
    'a forger may not rename a gizmo'
);
select tests.as('viewer');
select set_config('app.role', 'owner', true);
select throws_ok(
    $$ update app.gizmos set name = 'x' $$, 'SA401', null,
    'a viewer who writes another role into the context may not rename a gizmo'
);
select tests.as('owner', 'Globex');
select set_config('app.tenant_id', tests.organisation('Acme')::text, true);
select throws_ok(
    'select name from app.gizmos', 'SA401', null,
    'an owner who writes another organisation into the context reads no gizmo'
);

-- Columns: what the database sets is not for the API to set.
select tests.as('owner');
select throws_ok(
    format(
        'insert into app.gizmos (organisation_id, name, %I) '
        'values (tests.organisation(), %L, default)',
        c.name, 'x'
    ),
    '42501', 'permission denied for table gizmos',
    format('an owner may not set %s of a new gizmo', c.name)
)
from unnest(array['gizmo_id', 'created_at', 'updated_at', 'deleted_at']) as c (name);
select throws_ok(
    format('update app.gizmos set %I = %I', c.name, c.name),
    '42501', 'permission denied for table gizmos',
    format('an owner may not change %s of a gizmo', c.name)
)
from unnest(array['organisation_id', 'gizmo_id', 'created_at', 'updated_at']) as c (name);
select lives_ok(
    $$ update app.gizmos set name = name, deleted_at = deleted_at $$,
    'an owner may change name and deleted_at of a gizmo'
);

-- The owner of the table.
select tests.as('viewer');
set local role saas_owner;
select is_empty(
    'select name from app.gizmos',
    'the role that owns the table reads no gizmo, in whatever context'
);
select tests.as_nobody();
set local role saas_owner;
select is_empty(
    'select name from app.gizmos',
    'the role that owns the table reads no gizmo without a context'
);

-- The gate and the audit have no business here.
select tests.as('owner');
set local role saas_gate;
select tests.may_not_touch('the gate', 'app.gizmos', 'name');
set local role saas_audit;
select tests.may_not_touch('the audit', 'app.gizmos', 'name');

-- Nothing of all this has reached the other organisation.
select tests.as_superuser();
select results_eq(
    $$
    select name, deleted_at is null from app.gizmos
    where organisation_id = tests.organisation('Globex')
    $$,
    $$ values ('Gemini', true) $$,
    'nobody of Acme has changed a gizmo of Globex'
);

-- Each half of a policy holds alone.
create or replace function ctx.permissions() returns jsonb language sql immutable parallel safe
return '{"viewer": ["organisation.read"]}'::jsonb;
select tests.as_nobody();
select gate.enter(tests.credential('viewer'), 'r', tests.organisation(), 'organisation.read');
select is_empty(
    'select name from app.gizmos', 'a viewer reads no gizmo, were the right taken away'
);
select tests.as_superuser();
create or replace function ctx.permissions() returns jsonb language sql immutable parallel safe
return '{
    "viewer": ["projects.read", "gizmos.read"],
    "owner": ["projects.read", "gizmos.read", "gizmos.write"]
}'::jsonb;
alter policy update_member on app.gizmos using (true);
select tests.as('viewer');
select throws_ok(
    $$ update app.gizmos set name = 'x' $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "gizmos"',
    'a viewer may not rename a gizmo, were every row offered for update'
);
select tests.as_superuser();
grant update (organisation_id) on table app.gizmos to saas_api;
select tests.as('owner');
select throws_ok(
    $$ update app.gizmos set organisation_id = tests.organisation('Globex') $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "gizmos"',
    'an owner may not move a gizmo to another organisation, were the column granted'
);
select tests.as_superuser();
create policy careless on app.gizmos for all to public using (true) with check (true);
select tests.as('viewer');
select is_empty(
    $$ select name from app.gizmos where organisation_id <> tests.organisation() $$,
    'a viewer reads no gizmo of another organisation, were a careless policy added'
);
select is_empty(
    $$
    update app.gizmos set name = 'x' where organisation_id <> tests.organisation()
    returning name
    $$,
    'a viewer renames no gizmo of another organisation, were a careless policy added'
);
select throws_ok(
    $$
    insert into app.gizmos (organisation_id, name)
    values (tests.organisation('Globex'), 'x')
    $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "gizmos"',
    'a viewer creates no gizmo in another organisation, were a careless policy added'
);

select * from finish();
rollback;
