-- Tenant and permission in one question: what the wall of projects asks.
begin;
select plan(13);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
select tests.new_project('Apollo', 'Acme');
select tests.new_project('Gemini', 'Globex');

create function pg_temp.permissions()
returns text
language sql
as $$
    select string_agg(p.permission, ' ' order by p.permission collate "C")
    from unnest(array['projects.read', 'projects.write', 'owners.write', 'made.up', '', null]) as p (permission)
    where ctx.tenant_for(p.permission) = tests.organisation();
$$;

select tests.as('owner');
select is(
    pg_temp.permissions(), 'owners.write projects.read projects.write',
    'an owner has all there is in the organisation'
);
select tests.as('admin');
select is(pg_temp.permissions(), 'projects.read projects.write', 'an admin makes no owners');
select tests.as('member');
select is(pg_temp.permissions(), 'projects.read projects.write', 'a member writes projects');
select tests.as('viewer');
select is(pg_temp.permissions(), 'projects.read', 'a viewer reads projects');
select is(ctx.tenant_for('projects.write'), null, 'a viewer has no organisation to write in');
select tests.as('api_key');
select is(pg_temp.permissions(), 'projects.read projects.write', 'an API key writes projects');
select tests.as('stranger');
select is(pg_temp.permissions(), null, 'a stranger has no organisation');
select is(ctx.tenant_for('projects.read'), null, 'a stranger has none by any name');

-- The role is sealed, at each question anew: the wall may have asked before it was changed.
select tests.as('viewer');
select throws_ok(
    $$
    insert into app.projects (organisation_id, name)
    select p.organisation_id, set_config('app.role', 'member', true) from app.projects as p
    $$,
    'SA401', null, 'a viewer who changes the role after the wall has let the row be read writes nothing'
);
select throws_ok(
    $$ select set_config('app.role', 'owner', true), ctx.tenant_for('owners.write') $$,
    'SA401', null, 'a viewer who changes the role first is not asked which'
);

-- What the wall says holds, whatever a door says.
select tests.as_superuser();
alter policy insert_member on app.projects with check (true);
alter policy update_member on app.projects using (true) with check (true);
select tests.as('viewer');
select throws_ok(
    $$ insert into app.projects (organisation_id, name) values (tests.organisation(), 'x') $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "projects"',
    'a viewer creates nothing through a door left open'
);
select throws_ok(
    $$ update app.projects set name = 'x' $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "projects"',
    'nor renames anything'
);
select tests.as_superuser();
select results_eq(
    $$ select name from app.projects
    where organisation_id in (tests.organisation(), tests.organisation('Globex')) order by name $$,
    array['Apollo', 'Gemini'],
    'nobody has written anything'
);

select * from finish();
rollback;
