-- The guard: what a transaction may not leave behind, and what it may.
begin;
select plan(104);
set local event_triggers = on;

create function pg_temp.left_by(p_script text)
returns text
language plpgsql
as $$
declare
    v_hint text;
begin
    execute p_script;
    set local role none;
    set constraints guard._900_judge immediate;
    raise exception using errcode = 'SA200', message = 'nothing';
exception
    when others then
        get stacked diagnostics v_hint = pg_exception_hint;
        return concat_ws(' ', nullif(sqlstate, 'SA200'), sqlerrm)
            || coalesce('; hint: ' || nullif(v_hint, ''), '');
end
$$;
-- What a transaction of these statements would be refused for, or 'nothing'. It is undone.

create schema reports;
create table reports.totals (organisation_id uuid, total integer);
create foreign data wrapper elsewhere;
create server elsewhere foreign data wrapper elsewhere;
grant usage on foreign server elsewhere to saas_owner;
create temporary table scene (script text, answer text, what text);
grant select on table scene to public;
-- What was made so far is judged now, and not again with each scene.
set constraints guard._900_judge immediate;
set constraints guard._900_judge deferred;

-- Tables, by the role that migrates. app.t is made, and locked unless a scene says otherwise.
insert into scene (script, answer, what)
values
    (
        'create table app.t (organisation_id uuid not null);'
        'alter table app.t enable row level security, force row level security',
        'nothing',
        'a migration may make a table and lock it in a later statement'
    ),
    (
        'create table app.t (organisation_id uuid not null)',
        'SA403 row-level security is not enabled and forced on app.t; '
        'hint: alter table app.t enable row level security, force row level security',
        'a migration may not leave a table unlocked'
    ),
    (
        'create table app.t as select organisation_id from app.projects with no data;'
        'alter table app.t alter organisation_id set not null',
        'SA403 row-level security is not enabled and forced on app.t; '
        'hint: alter table app.t enable row level security, force row level security',
        'nor one that is made from a query'
    ),
    (
        'create table audit.events_of_mine (like audit.events)',
        'SA403 row-level security is not enabled and forced on audit.events_of_mine; '
        'hint: alter table audit.events_of_mine enable row level security, force row level security',
        'nor one in another schema, such as a partition to be'
    ),
    (
        'create table app.t (organisation_id uuid not null);'
        'alter table app.t enable row level security',
        'SA403 row-level security is not enabled and forced on app.t; '
        'hint: alter table app.t enable row level security, force row level security',
        'nor one whose owner is above its policies'
    ),
    (
        'create table app.t (organisation_id uuid not null);'
        'alter table app.t force row level security',
        'SA403 row-level security is not enabled and forced on app.t; '
        'hint: alter table app.t enable row level security, force row level security',
        'nor one that is forced to policies which are off'
    ),
    (
        'alter table app.projects disable row level security',
        'SA403 row-level security is not enabled and forced on app.projects; '
        'hint: alter table app.projects enable row level security, force row level security',
        'the owner may not switch row-level security off'
    ),
    (
        'alter table auth.seal_key no force row level security',
        'SA403 row-level security is not enabled and forced on auth.seal_key; '
        'hint: alter table auth.seal_key enable row level security, force row level security',
        'the owner may not step out of it'
    ),
    (
        'alter table app.projects disable row level security;'
        'alter table app.projects enable row level security',
        'nothing',
        'the owner may switch it off for a part of the transaction'
    ),
    (
        'create table app.t (organisation_id uuid not null); drop table app.t',
        'nothing',
        'a table that does not stay may be anything'
    ),
    ('create table deploy.t ()', 'nothing', 'yoyo may make its own tables, which are locked later'),
    (
        'create temporary table t (organisation_id uuid);'
        'create policy open on t using (true)',
        'nothing',
        'a temporary table may be anything'
    ),
    (
        'create index projects_of_mine_idx on app.projects (name)',
        'nothing',
        'an index is no table'
    ),
    ('select audit.prepare_partitions(1)', 'nothing', 'maintenance may make partitions'),
    (
        'select audit.drop_partitions(0)', 'nothing', 'and drop them'
    ),
    (
        'create table app.t (t_id uuid not null);'
        'alter table app.t enable row level security, force row level security',
        'SA403 app.t has no tenant; hint: give it organisation_id uuid not null, first in its '
        'primary key; a table of no tenant is not for schema app',
        'a migration may not leave a table of app without a tenant'
    ),
    (
        'create table app.t (t_id uuid not null, organisation_id uuid);'
        'alter table app.t enable row level security, force row level security',
        'SA403 app.t has no tenant; hint: give it organisation_id uuid not null, first in its '
        'primary key; a table of no tenant is not for schema app',
        'nor with rows that need not have one'
    ),
    (
        'alter table app.api_key_uses drop column organisation_id cascade',
        'SA403 app.api_key_uses has no tenant; hint: give it organisation_id uuid not null, first '
        'in its primary key; a table of no tenant is not for schema app',
        'nor take it away'
    ),
    (
        'create table app.t ()',
        'SA403 row-level security is not enabled and forced on app.t; app.t has no tenant; '
        'hint: alter table app.t enable row level security, force row level security; '
        'give it organisation_id uuid not null, first in its primary key; '
        'a table of no tenant is not for schema app',
        'all that is wrong with a table is told at once'
    ),
    (
        'create table auth.t (t_id uuid not null);'
        'alter table auth.t enable row level security, force row level security',
        'nothing',
        'a table of credentials needs none'
    ),
    (
        'create table audit.t (t_id uuid not null);'
        'alter table audit.t enable row level security, force row level security;'
        'create policy open on audit.t using (true); grant select on audit.t to saas_api',
        'SA403 audit.t has no tenant; hint: give it organisation_id uuid not null, first in its '
        'primary key; a table of no tenant is not for schema audit',
        'one of any other schema does'
    ),
    (
        'create table audit.users (t_id uuid not null);'
        'alter table audit.users enable row level security, force row level security',
        'SA403 audit.users has no tenant; hint: give it organisation_id uuid not null, first in its '
        'primary key; a table of no tenant is not for schema audit',
        'whatever it is called'
    ),
    (
        'alter table app.users add column t text;'
        'alter policy read_self on app.users using (false)',
        'nothing',
        'nor do people, who may be of many'
    );

-- Walls.
insert into scene (script, answer, what)
select
    'create table app.t (organisation_id uuid not null, t_id uuid not null);'
    || 'alter table app.t enable row level security, force row level security;' || s.script,
    case s.is_open
        when true then
            'SA403 app.t has policies and no wall; hint: create policy tenant_isolation on app.t '
            || 'as restrictive for all to public using (organisation_id = (select ctx.tenant_id()))'
        else 'nothing'
    end,
    s.what
from (
    values
        (
            'create policy read on app.t for select to public using (true)', true,
            'a migration may not open a table that has no wall'
        ),
        (
            'create policy read on app.t for select to public using (true);'
            'create policy wall on app.t as restrictive for all to public'
            ' using (organisation_id = (select ctx.tenant_id()))',
            false,
            'it may where there is one'
        ),
        (
            'create policy read on app.t for select to public using (true);'
            'create policy wall on app.t as restrictive for all to public'
            ' using (organisation_id = (select ctx.tenant_for(''projects.read'')))',
            false,
            'and where it asks for a permission, too'
        ),
        (
            'create policy closed on app.t as restrictive for all to public using (false)',
            false,
            'a restrictive policy alone opens nothing'
        ),
        (
            'create policy read on app.t for select to public using (true);'
            'create policy wall on app.t for all to public'
            ' using (organisation_id = (select ctx.tenant_id()))',
            true,
            'a permissive wall is none'
        ),
        (
            'create policy read on app.t for select to public using (true);'
            'create policy wall on app.t as restrictive for select to public'
            ' using (organisation_id = (select ctx.tenant_id()))',
            true,
            'nor is one for some commands'
        ),
        (
            'create policy read on app.t for select to public using (true);'
            'create policy wall on app.t as restrictive for all to saas_api'
            ' using (organisation_id = (select ctx.tenant_id()))',
            true,
            'nor is one for some roles'
        ),
        (
            'create policy read on app.t for select to public using (true);'
            'create policy wall on app.t as restrictive for all to public'
            ' using (organisation_id is not null)',
            true,
            'nor is one that does not ask who has entered'
        ),
        (
            'create policy read on app.t for select to public using (true);'
            'create policy wall on app.t as restrictive for all to public'
            ' using (organisation_id = (select ctx.tenant_id()))'
            ' with check (true)',
            true,
            'nor is one for reading alone'
        ),
        (
            'create policy read on app.t for select to public using (true);'
            'create policy wall on app.t as restrictive for all to public'
            ' using (organisation_id = (select ctx.tenant_id()) or true)',
            true,
            'nor is one with a way around it'
        ),
        (
            'create policy read on app.t for select to public using (true);'
            'create policy wall on app.t as restrictive for all to public'
            ' using ((organisation_id = (select ctx.tenant_id()) and true) or true)',
            true,
            'nor one deeper in'
        ),
        (
            'create policy read on app.t for select to public using (true);'
            'create policy wall on app.t as restrictive for all to public'
            ' using ((organisation_id = (select ctx.tenant_id())) is not null)',
            true,
            'nor one that asks whether it asked'
        ),
        (
            'create policy read on app.t for select to public using (true);'
            'create policy wall on app.t as restrictive for all to public'
            ' using (organisation_id = organisation_id and '''' <> ''ctx.tenant_id()'')',
            true,
            'nor one that only speaks of who has entered'
        ),
        (
            'create policy read on app.t for select to public using (true);'
            'create policy wall on app.t as restrictive for all to public'
            ' using (organisation_id = (select ctx.user_id()))',
            true,
            'nor one that asks for somebody else'
        ),
        (
            'create policy read on app.t for select to public using (true);'
            'create policy wall on app.t as restrictive for all to public'
            ' using (true)'
            ' with check (organisation_id = (select ctx.tenant_id()))',
            true,
            'nor one for writing alone'
        ),
        (
            'create policy read on app.t for select to public using (true);'
            'create policy wall on app.t as restrictive for all to public'
            ' using (current_user = ''saas_api'' or organisation_id = (select ctx.tenant_id()))'
            ' with check (organisation_id = (select ctx.tenant_id()))',
            true,
            'nor one that lets the API read all'
        ),
        (
            'create policy read on app.t for select to public using (true);'
            'create policy wall on app.t as restrictive for all to public'
            ' using (current_user = ''saas_gate'' or organisation_id = (select ctx.tenant_id()))',
            true,
            'nor one that lets the gate write all'
        ),
        (
            'create policy read on app.t for select to public using (true);'
            'create policy wall on app.t as restrictive for all to public'
            ' using (current_user = ''saas_gate'' or organisation_id = (select ctx.tenant_id()))'
            ' with check (organisation_id = (select ctx.tenant_id()))',
            false,
            'the gate may read all'
        ),
        (
            'create policy read on app.t for select to public using (true);'
            'create policy wall on app.t as restrictive for all to public'
            ' using (organisation_id = any (array[(select ctx.tenant_id())]) and t_id is not null)'
            ' with check (organisation_id = (select ctx.tenant_id()) and t_id is not null)',
            false,
            'a wall may ask for more'
        ),
        (
            'create policy read on app.t for select to public using (true);'
            'create policy wall on app.t as restrictive for all to public'
            ' using (organisation_id = any(array[(select ctx.tenant_id())]))',
            false,
            'and may say the tenant in this form alone'
        ),
        (
            'create policy read on app.t for select to public using (true);'
            'create policy wall on app.t as restrictive for all to public'
            ' using (organisation_id = (select ctx.tenant_id()) and t_id is not null)',
            true,
            'but not where PostgreSQL may ask it of other tenants'' rows'
        ),
        (
            'create policy read on app.t for select to public using (true);'
            'create policy wall on app.t as restrictive for all to public'
            ' using (organisation_id = coalesce((select ctx.tenant_id()), ''00000000-0000-0000-0000-000000000000''))',
            false,
            'who has entered nowhere may have rows of none'
        ),
        (
            'create function app.f() returns boolean language sql return true;'
            'create policy read on app.t for select to public using (true);'
            'create policy wall on app.t as restrictive for all to public'
            ' using (organisation_id = any (array[(select ctx.tenant_id())]) and app.f());'
            'drop function app.f() cascade',
            true,
            'nor is one that went with a function it needed'
        )
) as s (script, is_open, what);
insert into scene (script, answer, what)
select
    s.script,
    format(
        'SA403 %1$s has policies and no wall; hint: create policy tenant_isolation on %1$s '
        'as restrictive for all to public using (organisation_id = (select ctx.tenant_id()))',
        s.name
    ),
    s.what
from (
    values
        (
            'drop policy tenant_isolation on app.projects', 'app.projects',
            'the owner may not drop a wall'
        ),
        (
            'drop policy tenant_isolation on audit.events', 'audit.events',
            'nor that of the audit'
        ),
        (
            'alter policy tenant_isolation on app.projects using (true)', 'app.projects',
            'nor open it'
        ),
        (
            'alter policy tenant_isolation on app.projects with check (true)', 'app.projects',
            'nor let anything be written through it'
        ),
        (
            'alter policy tenant_isolation on app.idempotency_keys using'
            ' (case current_user when ''saas_owner'' then true'
            ' else organisation_id = (select ctx.tenant_id()) end)',
            'app.idempotency_keys', 'nor be above it'
        ),
        (
            'alter policy tenant_isolation on audit.events with check ((select current_user = ''saas_api'')'
            ' and (actor_type in (''database_role'', ''anonymous'')'
            ' or organisation_id = (select ctx.tenant_id())))',
            'audit.events', 'nor let the API write what nobody did'
        )
) as s (script, name, what);
insert into scene (script, answer, what)
values
    (
        'drop policy tenant_isolation on app.projects;'
        'create policy tenant_isolation on app.projects as restrictive for all to public'
        ' using (organisation_id = (select ctx.tenant_id()))',
        'nothing',
        'a wall may be made anew'
    ),
    (
        'drop policy tenant_isolation on app.projects; drop policy read_viewer on app.projects;'
        'drop policy insert_member on app.projects; drop policy update_member on app.projects',
        'nothing',
        'a table may lose all its policies: then nobody reaches a row'
    ),
    (
        'create policy more on auth.credentials for select to saas_gate using (true)',
        'nothing',
        'credentials have no wall: they are looked up before anybody has entered anywhere'
    );

-- Views, and what no policy holds for.
insert into scene (script, answer, what)
values
    (
        'create view api.t as select 1 as one',
        'SA403 no policy holds for who reads api.t; hint: make it a view with (security_invoker = true)',
        'a migration may not make a view that asks with its owner''s rights'
    ),
    (
        'create view api.t with (security_invoker = true) as select 1 as one;'
        'create view api.u with (security_invoker = on) as select 1 as one;'
        'create view api.v with (security_barrier, security_invoker = 1) as select 1 as one;'
        'create view api.w with (security_invoker = yes) as select 1 as one',
        'nothing',
        'it may make one that asks with the reader''s'
    ),
    (
        'create view api.t with (security_barrier, security_invoker = no) as select 1 as one',
        'SA403 no policy holds for who reads api.t; hint: make it a view with (security_invoker = true)',
        'and has to say so'
    ),
    (
        'alter view api.projects reset (security_invoker)',
        'SA403 no policy holds for who reads api.projects; hint: make it a view with (security_invoker = true)',
        'the owner may not change that'
    ),
    (
        'alter view api.listed_projects set (security_barrier)',
        'nothing',
        'the view of lists asks with its owner''s rights, whom the policies bind'
    ),
    (
        'create materialized view api.t as select 1 as one',
        'SA403 no policy holds for who reads api.t; hint: make it a view with (security_invoker = true)',
        'a migration may not keep rows in a materialized view'
    ),
    (
        'create foreign table app.t (organisation_id uuid not null) server elsewhere',
        'SA403 no policy holds for who reads app.t; hint: make it a view with (security_invoker = true)',
        'nor have them in a foreign table'
    );

-- Rights of PUBLIC on what is to come.
insert into scene (script, answer, what)
values
    (
        'alter default privileges in schema app grant select on tables to public',
        'SA403 PUBLIC has select on tables that saas_owner will make; hint: alter default privileges '
        'for role saas_owner in schema app revoke all on tables from public',
        'the owner may not grant PUBLIC the tables to come'
    ),
    (
        'alter default privileges grant usage on schemas to public',
        'SA403 PUBLIC has usage on schemas that saas_owner will make; hint: alter default privileges '
        'for role saas_owner revoke all on schemas from public',
        'nor the schemas'
    ),
    (
        'alter default privileges in schema app grant select on tables to saas_api',
        'nothing',
        'the owner may grant a role the tables to come'
    );

-- Rights of PUBLIC.
insert into scene (script, answer, what)
select
    s.script,
    case
        when s.has is null then 'nothing'
        else format(
            'SA403 PUBLIC has %s on %s; hint: revoke all on %2$s from public', s.has, s.object
        )
    end,
    s.what
from (
    values
        (
            'grant select, update on app.projects to public',
            'select, update', 'table app.projects', 'the owner may grant PUBLIC no table'
        ),
        (
            'grant select on api.projects to public',
            'select', 'table api.projects', 'and no view'
        ),
        (
            'grant select (name), insert (name) on app.projects to public',
            'insert, select', 'table app.projects', 'and no column'
        ),
        (
            'grant usage on schema auth to public', 'usage', 'schema auth', 'and no schema'
        ),
        (
            'grant execute on function api.get_me(bytea, text) to public',
            'execute', 'function api.get_me(bytea,text)', 'and no function'
        ),
        (
            'grant select on app.projects to public; revoke all on app.projects from public',
            null, null, 'what is taken back at once is no right'
        ),
        (
            'grant select on app.projects to saas_dba', null, null, 'the owner may grant a role'
        ),
        (
            'create function api.t() returns integer language sql return 1',
            null, null, 'the owner''s functions are nobody''s until they are granted'
        )
) as s (script, has, object, what);

set local role saas_owner;
select is(pg_temp.left_by(s.script), s.answer, s.what) from scene as s;
reset role;
select is(pg_temp.left_by(s.script), s.answer, s.what || ', and no superuser')
from scene as s
where s.script in (
    'alter table app.projects disable row level security',
    'drop policy tenant_isolation on app.projects',
    'grant usage on schema auth to public'
);
truncate scene;
insert into scene (script, answer, what)
values
    (
        'create function api.t() returns integer language sql return 1',
        'SA403 PUBLIC has execute on function api.t(); hint: revoke all on function api.t() from public',
        'a superuser''s function is PUBLIC''s by default, and may not stay so'
    ),
    (
        'create table reports.t (organisation_id uuid);'
        'create policy open on reports.t for all to public using (true);'
        'drop policy open on reports.t; create policy open on reports.t using (true);'
        'create view reports.u as select * from reports.t;'
        'create materialized view reports.v as select * from reports.t;'
        'create function reports.w() returns integer language sql return 1;'
        'grant select on reports.t, reports.u to public; grant usage on schema reports to public',
        'nothing',
        'a schema of somebody else is none of the guard''s business'
    ),
    (
        'alter default privileges in schema reports grant select on tables to public',
        'nothing',
        'nor is what is to come there'
    ),
    (
        'alter default privileges for role saas_dba grant select on tables to public',
        'nothing',
        'nor what is to come of a role that makes nothing of ours'
    ),
    (
        'alter default privileges for role saas_dba in schema audit grant insert on tables to public',
        'SA403 PUBLIC has insert on tables that saas_dba will make; hint: alter default privileges '
        'for role saas_dba in schema audit revoke all on tables from public',
        'a superuser may not grant PUBLIC what anybody is to make in a schema of ours'
    ),
    (
        'create view reports.v as select name from app.projects',
        'SA403 no policy holds for who reads reports.v; hint: make it a view with (security_invoker = true)',
        'a view that reads one of our tables is ours, wherever it is'
    ),
    (
        'create view reports.v with (security_invoker) as select name from app.projects',
        'nothing',
        'it may be there'
    ),
    (
        'create view reports.v with (security_invoker) as select name from app.projects;'
        'create view reports.w as select name from reports.v',
        'SA403 no policy holds for who reads reports.w; hint: make it a view with (security_invoker = true)',
        'but not read by a view with the rights of its owner'
    ),
    (
        'alter view api.listed_projects owner to session_user',
        'SA403 no policy holds for who reads api.listed_projects; hint: make it a view with (security_invoker = true)',
        'the view of lists may have no other owner'
    ),
    (
        'create materialized view reports.v as select name from app.projects',
        'SA403 no policy holds for who reads reports.v; hint: make it a view with (security_invoker = true)',
        'nor kept'
    ),
    (
        'create temporary view v as select name from app.projects',
        'nothing',
        'a temporary view is nobody else''s'
    ),
    (
        'create rule r as on insert to reports.totals do also select name from app.projects;'
        'comment on table reports.totals is ''A rule is not said to be of its table.''',
        'nothing',
        'a table with a rule that reads one of ours is no view'
    ),
    (
        'alter table reports.totals set schema app',
        'SA403 row-level security is not enabled and forced on app.totals; app.totals has no tenant; '
        'hint: alter table app.totals enable row level security, force row level security; '
        'give it organisation_id uuid not null, first in its primary key; '
        'a table of no tenant is not for schema app',
        'until a table moves in'
    ),
    (
        'set local event_triggers = off; alter table app.projects disable row level security',
        'nothing',
        'a superuser may do without the guard, and says so'
    ),
    (
        'set local event_triggers = off; alter table app.projects disable row level security;'
        'set local event_triggers = on;'
        'alter table app.memberships add column t text; drop policy update_admin on app.memberships;'
        'drop trigger _100_timestamps on app.projects; grant select on app.memberships to saas_dba',
        'nothing',
        'what was open before does not stand in the way of another change'
    );
select is(pg_temp.left_by(s.script), s.answer, s.what) from scene as s;

-- What PUBLIC was given by an earlier transaction, likewise.
grant select on app.projects to public;
select results_eq(
    'select fault from guard.faults(0, pg_current_xact_id())',
    array['PUBLIC has select on table app.projects'],
    'what this transaction gave to PUBLIC is found'
);
select is_empty(
    $$ select fault from guard.faults(0, (pg_current_xact_id()::text::bigint + 1)::text::xid8) $$,
    'what one before gave is not the next one''s'
);
select is_empty(
    $$ select fault from guard.faults('app.projects'::regclass, pg_current_xact_id()) $$,
    'a table is not asked for PUBLIC''s rights'
);

-- The guard itself.
revoke select on app.projects from public;
set constraints guard._900_judge immediate;
select is_empty('select from guard.pending', 'what was judged is forgotten');
set constraints guard._900_judge deferred;
comment on table app.projects is 'One.';
comment on table app.projects is 'Two.';
select results_eq(
    'select relation from guard.pending', array['app.projects'::regclass::oid],
    'what is touched twice is judged once'
);
select is(
    (
        select string_agg(p.proname, ', ' order by p.proname) from pg_proc as p
        where p.pronamespace = 'guard'::regnamespace and p.prosecdef
    ),
    'note_commands, note_drops',
    'what notes is a definer, what judges is none'
);
select is_empty(
    $$
    select p.proname, x.grantee::regrole from pg_proc as p
    cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as x
    where p.pronamespace = 'guard'::regnamespace and x.grantee <> p.proowner
    $$,
    'nobody is granted a function of the guard'
);
select is_empty(
    $$ select * from tests.grants('guard.pending') $$, 'nobody is granted what the guard notes'
);
set local role saas_owner;
select throws_ok(s.script, '42501', null, s.what)
from (
    values
        ('alter event trigger guard_commands disable', 'the owner may not switch the guard off'),
        ('drop event trigger guard_drops', 'nor drop it'),
        ('set local event_triggers = off', 'nor do without it'),
        ('delete from guard.pending', 'nor forget for it'),
        (
            'create or replace function guard.faults(p_relation oid, p_transaction xid8)'
            ' returns table (fault text, hint text) language sql return null',
            'nor teach it'
        )
) as s (script, what);

select * from finish();
rollback;
