begin;
select plan(125);

create function pg_temp.listed(p_bound text, p_beyond text)
returns bigint
language plpgsql
as $$
declare
    v_bound constant text := 'app.' || p_bound;
    v_before constant text := current_setting(v_bound);
    v_found bigint;
begin
    perform set_config(v_bound, p_beyond, true);
    select count(*) into v_found from api.listed_projects;
    perform set_config(v_bound, v_before, true);
    return v_found;
end
$$;
-- How many projects a list has whose page has this bound.

-- All that is granted.
select results_eq(
    $$ select * from tests.grants('app.projects') $$,
    array[
        'saas_api: INSERT of organisation_id, name, description, status',
        'saas_api: SELECT',
        'saas_api: UPDATE of name, description, status, deleted_at'
    ],
    'app.projects is granted to whom it must be and to nobody else'
);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
select tests.new_project('Apollo', 'Acme');
select tests.new_project('Gemini', 'Globex');

-- An owner.
select tests.as('owner');
select ok(
    'Apollo' in (select name from app.projects)
    and not exists (select from app.projects where organisation_id <> tests.organisation('Acme')),
    'an owner reads the projects of the organisation and no other'
);
select lives_ok(
    $$
    insert into app.projects (organisation_id, name, description, status)
    values (tests.organisation('Acme'), 'Mercury', 'x', 'archived')
    $$,
    'an owner creates a project'
);
select throws_ok(
    $$
    insert into app.projects (organisation_id, name)
    values (tests.organisation('Globex'), 'x')
    $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "projects"',
    'an owner may not create a project in another organisation'
);
select results_eq(
    $$ update app.projects set name = 'Mercury 2' where name = 'Mercury' returning name $$,
    array['Mercury 2'],
    'an owner renames a project'
);
select is_empty(
    $$
    update app.projects set name = 'x' where organisation_id = tests.organisation('Globex')
    returning name
    $$,
    'an owner may not rename a project of another organisation'
);
select is_empty(
    $$
    select name from app.projects where organisation_id = tests.organisation('Globex')
    for update
    $$,
    'an owner may not lock the row of a project of another organisation'
);
select results_eq(
    $$ update app.projects set deleted_at = now() where name = 'Mercury 2' returning name $$,
    array['Mercury 2'],
    'an owner deletes a project softly'
);
select tests.may_not_delete_or_stop('an owner', 'app.projects');

-- An admin.
select tests.as('admin');
select ok(
    'Apollo' in (select name from app.projects)
    and not exists (select from app.projects where organisation_id <> tests.organisation('Acme')),
    'an admin reads the projects of the organisation and no other'
);
select lives_ok(
    $$
    insert into app.projects (organisation_id, name, description, status)
    values (tests.organisation('Acme'), 'Vostok', 'x', 'archived')
    $$,
    'an admin creates a project'
);
select throws_ok(
    $$
    insert into app.projects (organisation_id, name)
    values (tests.organisation('Globex'), 'x')
    $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "projects"',
    'an admin may not create a project in another organisation'
);
select results_eq(
    $$ update app.projects set name = 'Vostok 2' where name = 'Vostok' returning name $$,
    array['Vostok 2'],
    'an admin renames a project'
);
select is_empty(
    $$
    update app.projects set name = 'x' where organisation_id = tests.organisation('Globex')
    returning name
    $$,
    'an admin may not rename a project of another organisation'
);
select is_empty(
    $$
    select name from app.projects where organisation_id = tests.organisation('Globex')
    for update
    $$,
    'an admin may not lock the row of a project of another organisation'
);
select results_eq(
    $$ update app.projects set deleted_at = now() where name = 'Vostok 2' returning name $$,
    array['Vostok 2'],
    'an admin deletes a project softly'
);
select tests.may_not_delete_or_stop('an admin', 'app.projects');

-- A member.
select tests.as('member');
select ok(
    'Apollo' in (select name from app.projects)
    and not exists (select from app.projects where organisation_id <> tests.organisation('Acme')),
    'a member reads the projects of the organisation and no other'
);
select lives_ok(
    $$
    insert into app.projects (organisation_id, name, description, status)
    values (tests.organisation('Acme'), 'Soyuz', 'x', 'archived')
    $$,
    'a member creates a project'
);
select throws_ok(
    $$
    insert into app.projects (organisation_id, name)
    values (tests.organisation('Globex'), 'x')
    $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "projects"',
    'a member may not create a project in another organisation'
);
select results_eq(
    $$ update app.projects set name = 'Soyuz 2' where name = 'Soyuz' returning name $$,
    array['Soyuz 2'],
    'a member renames a project'
);
select is_empty(
    $$
    update app.projects set name = 'x' where organisation_id = tests.organisation('Globex')
    returning name
    $$,
    'a member may not rename a project of another organisation'
);
select is_empty(
    $$
    select name from app.projects where organisation_id = tests.organisation('Globex')
    for update
    $$,
    'a member may not lock the row of a project of another organisation'
);
select results_eq(
    $$ update app.projects set deleted_at = now() where name = 'Soyuz 2' returning name $$,
    array['Soyuz 2'],
    'a member deletes a project softly'
);
select tests.may_not_delete_or_stop('a member', 'app.projects');

-- An API key.
select tests.as('api_key');
select ok(
    'Apollo' in (select name from app.projects)
    and not exists (select from app.projects where organisation_id <> tests.organisation('Acme')),
    'an API key reads the projects of the organisation and no other'
);
select lives_ok(
    $$
    insert into app.projects (organisation_id, name, description, status)
    values (tests.organisation('Acme'), 'Ariane', 'x', 'archived')
    $$,
    'an API key creates a project'
);
select throws_ok(
    $$
    insert into app.projects (organisation_id, name)
    values (tests.organisation('Globex'), 'x')
    $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "projects"',
    'an API key may not create a project in another organisation'
);
select results_eq(
    $$ update app.projects set name = 'Ariane 2' where name = 'Ariane' returning name $$,
    array['Ariane 2'],
    'an API key renames a project'
);
select is_empty(
    $$
    update app.projects set name = 'x' where organisation_id = tests.organisation('Globex')
    returning name
    $$,
    'an API key may not rename a project of another organisation'
);
select is_empty(
    $$
    select name from app.projects where organisation_id = tests.organisation('Globex')
    for update
    $$,
    'an API key may not lock the row of a project of another organisation'
);
select results_eq(
    $$ update app.projects set deleted_at = now() where name = 'Ariane 2' returning name $$,
    array['Ariane 2'],
    'an API key deletes a project softly'
);
select tests.may_not_delete_or_stop('an API key', 'app.projects');

-- A viewer.
select tests.as('viewer');
select ok(
    'Apollo' in (select name from app.projects)
    and not exists (select from app.projects where organisation_id <> tests.organisation('Acme')),
    'a viewer reads the projects of the organisation and no other'
);
select throws_ok(
    $$ insert into app.projects (organisation_id, name) values (tests.organisation('Acme'), 'x') $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "projects"',
    'a viewer may not create a project'
);
select throws_ok(
    $$
    insert into app.projects (organisation_id, name)
    values (tests.organisation('Globex'), 'x')
    $$,
    '42501', null,
    'a viewer may not create a project in another organisation'
);
select is_empty(
    $$ update app.projects set name = 'x' returning name $$,
    'a viewer may not rename a project'
);
select is_empty(
    $$ update app.projects set deleted_at = now() returning name $$,
    'a viewer may not delete a project softly'
);
select is_empty(
    $$ select name from app.projects for update $$,
    'a viewer may not lock the row of a project'
);
select tests.may_not_delete_or_stop('a viewer', 'app.projects');

-- The owner of another organisation: the same wall from the other side.
select tests.as('owner', 'Globex');
select results_eq(
    'select name from app.projects', array['Gemini'],
    'an owner of another organisation reads its projects and no other'
);
select is_empty(
    $$
    update app.projects set name = 'x'
    where organisation_id = tests.organisation('Acme') returning name
    $$,
    'an owner of another organisation may not rename a project'
);

-- A stranger: a user who has entered no organisation.
select tests.as('stranger');
select is_empty('select name from app.projects', 'a stranger reads no project');
select throws_ok(
    $$ insert into app.projects (organisation_id, name) values (tests.organisation('Acme'), 'x') $$,
    '42501', null,
    'a stranger may not create a project'
);
select is_empty(
    $$ update app.projects set name = 'x' returning name $$,
    'a stranger may not rename a project'
);
select tests.may_not_delete_or_stop('a stranger', 'app.projects');

-- No context: an error, never an empty answer.
select tests.as_nobody();
select throws_ok(
    'select name from app.projects', 'SA401', null,
    'nobody reads a project without a context'
);
select throws_ok(
    $$ insert into app.projects (organisation_id, name) values (tests.organisation('Acme'), 'x') $$,
    'SA401', null,
    'nobody creates a project without a context'
);
select throws_ok(
    $$ update app.projects set name = 'x' $$, 'SA401', null,
    'nobody renames a project without a context'
);
select tests.may_not_delete_or_stop('nobody', 'app.projects');

-- A forged context.
select tests.as_forger('owner');
select throws_ok(
    'select name from app.projects', 'SA401', null,
    'a forger reads no project'
);
select throws_ok(
    $$ insert into app.projects (organisation_id, name) values (tests.organisation('Acme'), 'x') $$,
    'SA401', null,
    'a forger may not create a project'
);
select throws_ok(
    $$ update app.projects set name = 'x' $$, 'SA401', null,
    'a forger may not rename a project'
);
select tests.as('viewer');
select set_config('app.role', 'owner', true);
select throws_ok(
    $$ update app.projects set name = 'x' $$, 'SA401', null,
    'a viewer who writes another role into the context may not rename a project'
);
select tests.as('owner', 'Globex');
select set_config('app.tenant_id', tests.organisation('Acme')::text, true);
select throws_ok(
    'select name from app.projects', 'SA401', null,
    'an owner who writes another organisation into the context reads no project'
);

-- Columns: what the database sets is not for the API to set.
select tests.as('owner');
select throws_ok(
    format(
        'insert into app.projects (organisation_id, name, %I) '
        'values (tests.organisation(), %L, default)',
        c.name, 'x'
    ),
    '42501', 'permission denied for table projects',
    format('an owner may not set %s of a new project', c.name)
)
from unnest(array['project_id', 'created_at', 'updated_at', 'deleted_at']) as c (name);
select throws_ok(
    format('update app.projects set %I = %I', c.name, c.name),
    '42501', 'permission denied for table projects',
    format('an owner may not change %s of a project', c.name)
)
from unnest(array['organisation_id', 'project_id', 'created_at', 'updated_at']) as c (name);
select lives_ok(
    $$
    update app.projects
    set name = name, description = description, status = status, deleted_at = deleted_at
    $$,
    'an owner may change name, description, status and deleted_at of a project'
);

-- The owner of the table. Which of two policies is asked first is the planner's choice: so each alone.
select tests.as_superuser();
savepoint halves;
alter policy read_viewer on app.projects using (true);
select tests.as('viewer');
set local role saas_owner;
select is_empty(
    'select name from app.projects',
    'the wall shows nothing to the role that owns the table, in whatever context'
);
select tests.as_nobody();
set local role saas_owner;
select is_empty(
    'select name from app.projects',
    'the wall shows nothing to the role that owns the table without a context'
);
rollback to halves;
alter policy tenant_isolation on app.projects using (true);
alter policy enter_list on app.projects using (true);
select tests.as('viewer');
set local role saas_owner;
select is_empty(
    'select name from app.projects',
    'the role that owns the table reads no project, in whatever context, were there no wall'
);
select tests.as_nobody();
set local role saas_owner;
select is_empty(
    'select name from app.projects',
    'the role that owns the table reads no project without a context, were there no wall'
);
rollback to halves;

-- What lists read asks with its owner's rights: the wall binds the owner, too, and the owner's own policy
-- hides what is outside of the bounds. Neither leans on the other.
select tests.as_superuser();
savepoint halves;
select tests.as('viewer');
select results_eq(
    'select name from api.listed_projects', array['Apollo'],
    'a viewer lists the projects of the organisation and no other'
);
select is_empty(
    $$ select name from api.listed_projects where organisation_id = tests.organisation('Globex') $$,
    'a viewer lists no project of an organisation that is asked for by name'
);
select tests.as('stranger');
select is_empty('select name from api.listed_projects', 'a stranger lists no project');
select tests.as_nobody();
select throws_ok(
    'select name from api.listed_projects', 'SA401', null, 'nobody lists a project without a context'
);
select tests.as_forger('owner');
select throws_ok(
    'select name from api.listed_projects', 'SA401', null, 'a forger lists no project'
);
select tests.as_superuser();
alter policy enter_list on app.projects using (true);
select tests.as('viewer');
select results_eq(
    'select name from api.listed_projects', array['Apollo'],
    'a viewer lists no project of another organisation, were the bounds not asked'
);
select tests.as_superuser();
rollback to halves;
alter policy tenant_isolation on app.projects using (true);
select tests.as('viewer');
select results_eq(
    'select name from api.listed_projects', array['Apollo'],
    'a viewer lists no project of another organisation, were there no wall'
);
select tests.as_superuser();
rollback to halves;
set local session_replication_role = replica;
update app.projects set created_at = '2026-01-02 00:00Z', updated_at = '2026-02-02 00:00Z';
set local session_replication_role = origin;
select tests.as('viewer');
select set_config('app.' || b.bound, b.inside, true) from (
    values
        ('created_at_from', '2026-01-02 00:00Z'), ('created_at_to', '2026-01-02 00:00Z'),
        ('updated_at_from', '2026-02-02 00:00Z'), ('updated_at_to', '2026-02-02 00:00Z'),
        ('name_from', 'Apollo'), ('name_to', 'Apollo')
) as b (bound, inside);
select results_eq(
    'select name from api.listed_projects', array['Apollo'],
    'a viewer lists what is at the bounds of the page'
);
select is(pg_temp.listed(b.bound, b.beyond), 0::bigint, format('a viewer lists nothing beyond %s', b.bound))
from (
    values
        ('created_at_from', '2026-01-02 00:01Z'), ('created_at_to', '2026-01-01 23:59Z'),
        ('updated_at_from', '2026-02-02 00:01Z'), ('updated_at_to', '2026-02-01 23:59Z'),
        ('name_from', 'Apollp'), ('name_to', 'Apolln')
) as b (bound, beyond);
select is(
    (select count(*) from api.projects), 1::bigint, 'a viewer reads a project whatever a list''s bounds'
);
select tests.as_superuser();
rollback to halves;

-- The gate and the audit have no business here.
select tests.as('owner');
set local role saas_gate;
select tests.may_not_touch('the gate', 'app.projects', 'name');
set local role saas_audit;
select tests.may_not_touch('the audit', 'app.projects', 'name');

-- Nothing of all this has reached the other organisation.
select tests.as_superuser();
select results_eq(
    $$ select name, status, deleted_at is null from app.projects
    where organisation_id = tests.organisation('Globex') $$,
    $$ values ('Gemini', 'active', true) $$,
    'nobody of Acme has changed a project of Globex'
);

-- Each half of a policy holds alone.
create or replace function ctx.permissions() returns jsonb language sql immutable parallel safe
return '{"viewer": ["organisation.read"]}'::jsonb;
select tests.as_nobody();
select gate.enter(tests.credential('viewer'), 'r', tests.organisation(), 'organisation.read');
select is_empty(
    'select name from app.projects', 'a viewer reads no project, were the right taken away'
);
select tests.as_superuser();
create or replace function ctx.permissions() returns jsonb language sql immutable parallel safe
return '{"viewer": ["projects.read"], "owner": ["projects.read", "projects.write"]}'::jsonb;
alter policy update_member on app.projects using (true);
select tests.as('viewer');
select throws_ok(
    $$ update app.projects set name = 'x' $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "projects"',
    'a viewer may not rename a project, were every row offered for update'
);
select tests.as_superuser();
grant update (organisation_id) on table app.projects to saas_api;
select tests.as('owner');
select throws_ok(
    $$ update app.projects set organisation_id = tests.organisation('Globex') $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "projects"',
    'an owner may not move a project to another organisation, were the column granted'
);
select tests.as_superuser();
create policy careless on app.projects for all to public using (true) with check (true);
select tests.as('viewer');
select is_empty(
    $$ select name from app.projects where organisation_id <> tests.organisation() $$,
    'a viewer reads no project of another organisation, were a careless policy added'
);
select is_empty(
    $$
    update app.projects set name = 'x' where organisation_id <> tests.organisation()
    returning name
    $$,
    'a viewer renames no project of another organisation, were a careless policy added'
);
select throws_ok(
    $$
    insert into app.projects (organisation_id, name)
    values (tests.organisation('Globex'), 'x')
    $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "projects"',
    'a viewer creates no project in another organisation, were a careless policy added'
);

select * from finish();
rollback;
