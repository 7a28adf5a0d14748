-- What the audit triggers of each table record: one event a row that changed, what changed and
-- nothing else, and who did it.
begin;
select plan(47);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
select tests.new_project('Apollo');
create temporary table before as
select audit_event_id from audit.events where occurred_at = now();
grant select on table before to public;

-- The events of this file, which is one moment, since the last look, as one text: action, target, actor, request, changes.
create function pg_temp.recorded()
returns text
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_events text;
begin
    select
        string_agg(
            concat_ws(
                ' ', e.action, e.target_type, e.actor_type,
                case e.actor_type
                    when 'user' then e.actor_user_id::text when 'api_key' then e.actor_api_key_id::text
                    else e.actor_database_role
                end,
                coalesce(e.request_id, '-'), e.changes
            ),
            ', ' order by e.action, e.changes
        )
    into v_events
    from audit.events as e
    where
        e.occurred_at = now()
        and not exists (select from before as b where b.audit_event_id = e.audit_event_id);
    insert into before select e.audit_event_id from audit.events as e
    where
        e.occurred_at = now()
        and not exists (select from before as b where b.audit_event_id = e.audit_event_id);
    return v_events;
end
$$;

-- Projects.
select tests.as('member');
insert into app.projects (organisation_id, name) values (tests.organisation(), 'Gemini');
select is(
    pg_temp.recorded(),
    'project.created project user ' || tests.user_id('member') || ' tests '
    || '{"name": {"new": "Gemini", "old": null}, "status": {"new": "active", "old": null}}',
    'a member who creates a project is recorded, with name and status, and no description where none is'
);
insert into app.projects (organisation_id, name, description, status)
values (tests.organisation(), 'a', 'x', 'archived'), (tests.organisation(), 'b', null, 'active');
select is(
    pg_temp.recorded(),
    'project.created project user ' || tests.user_id('member') || ' tests '
    || '{"name": {"new": "b", "old": null}, "status": {"new": "active", "old": null}}, '
    || 'project.created project user ' || tests.user_id('member') || ' tests '
    || '{"name": {"new": "a", "old": null}, "status": {"new": "archived", "old": null}, "description": {"new": "x", "old": null}}',
    'a statement that creates two projects is two events'
);
select tests.as('api_key');
update app.projects set description = 'y', status = 'archived' where name = 'Gemini';
select is(
    pg_temp.recorded(),
    'project.updated project api_key ' || tests.user_id('api_key') || ' tests '
    || '{"status": {"new": "archived", "old": "active"}, "description": {"new": "y", "old": null}}',
    'an API key that changes a project is recorded, with the fields that changed and no other'
);
update app.projects set name = name, description = description, status = status;
select is(pg_temp.recorded(), null, 'a change that changes nothing is no event');
update app.projects set status = 'archived' where name in ('Gemini', 'b');
select is(
    pg_temp.recorded(),
    'project.updated project api_key ' || tests.user_id('api_key') || ' tests {"status": {"new": "archived", "old": "active"}}',
    'of two projects the one that changed is one event'
);
update app.projects set status = 'active' where name = 'nothing';
select is(pg_temp.recorded(), null, 'a change of no row is no event');
update app.projects set description = null where name = 'Gemini';
select is(
    pg_temp.recorded(),
    'project.updated project api_key ' || tests.user_id('api_key') || ' tests {"description": {"new": null, "old": "y"}}',
    'a description taken away is recorded'
);
update app.projects set deleted_at = now() where name = 'Gemini';
select is(
    pg_temp.recorded(),
    'project.deleted project api_key ' || tests.user_id('api_key') || ' tests {}',
    'an API key that deletes a project is recorded'
);
update app.projects set name = 'Gemini 2' where name = 'Gemini';
select is(
    pg_temp.recorded(),
    'project.updated project api_key ' || tests.user_id('api_key') || ' tests {"name": {"new": "Gemini 2", "old": "Gemini"}}',
    'a deleted project that is changed by hand was not deleted again'
);
select tests.as_superuser();
update app.projects set deleted_at = null
where organisation_id = tests.organisation() and name = 'Gemini 2';
select matches(
    pg_temp.recorded(),
    '^project.updated project database_role ' || session_user
    || ' - {"deleted_at": {"new": null, "old": ".+"}}$',
    'a superuser who brings a project back is recorded as a database role, without a request'
);
update app.projects set updated_at = now() where organisation_id = tests.organisation();
select is(pg_temp.recorded(), null, 'a time that is moved is no event');
update app.projects set deleted_at = now()
where organisation_id = tests.organisation() and name = 'a';
select pg_temp.recorded();
delete from app.projects where organisation_id = tests.organisation() and name in ('a', 'b');
select is(
    pg_temp.recorded(), 'project.deleted project database_role ' || session_user || ' - {}',
    'a project deleted by hand is recorded, but where it was deleted before'
);

-- Organisations.
select tests.as('admin');
update app.organisations set name = 'Acme & Sons';
select is(
    pg_temp.recorded(),
    'organisation.updated organisation user ' || tests.user_id('admin') || ' tests '
    || '{"name": {"new": "Acme & Sons", "old": "Acme"}}',
    'an admin who renames the organisation is recorded'
);
update app.organisations set name = name;
select is(pg_temp.recorded(), null, 'the same name again is no event');
select tests.as('stranger');
select is(pg_temp.recorded(), null, 'a stranger who enters is no event');
select gate.create_organisation('Hooli');
select is(
    pg_temp.recorded(),
    'member.added member user ' || tests.user_id('stranger') || ' tests {"role": {"new": "owner", "old": null}}, '
    || 'organisation.created organisation user ' || tests.user_id('stranger') || ' tests {"name": {"new": "Hooli", "old": null}}',
    'a stranger who founds an organisation is two events, the second the first owner'
);

-- Members.
select tests.as('owner');
insert into app.memberships (organisation_id, user_id, role)
values (tests.organisation(), tests.user_id('stranger'), 'viewer');
select is(
    pg_temp.recorded(),
    'member.added member user ' || tests.user_id('owner') || ' tests {"role": {"new": "viewer", "old": null}}',
    'an owner who adds a member is recorded'
);
update app.memberships set role = 'admin' where user_id = tests.user_id('stranger');
select is(
    pg_temp.recorded(),
    'member.updated member user ' || tests.user_id('owner') || ' tests {"role": {"new": "admin", "old": "viewer"}}',
    'an owner who changes a role is recorded'
);
update app.memberships set role = role;
select is(pg_temp.recorded(), null, 'the same roles again are no event');
select gate.remove_member(tests.user_id('stranger'));
select is(
    pg_temp.recorded(),
    'member.removed member user ' || tests.user_id('owner') || ' tests {"role": {"new": null, "old": "admin"}}',
    'an owner who removes a member is recorded'
);
select gate.remove_member(tests.user_id('stranger'));
select is(pg_temp.recorded(), null, 'who is no member is not removed, and not recorded');
select tests.as('member');
select gate.remove_member(tests.user_id('member'));
select is(
    pg_temp.recorded(),
    'member.removed member user ' || tests.user_id('member') || ' tests {"role": {"new": null, "old": "member"}}',
    'a member who leaves is recorded'
);

-- API keys.
select tests.as('admin');
insert into app.api_keys (organisation_id, name, prefix, created_by_user_id)
values (tests.organisation(), 'CI', 'saas_00000000', tests.user_id('admin'));
select is(
    pg_temp.recorded(),
    'api_key.created api_key user ' || tests.user_id('admin') || ' tests {"name": {"new": "CI", "old": null}}',
    'an admin who makes an API key is recorded, with its name alone'
);
update app.api_keys set revoked_at = now() where name = 'CI';
select is(
    pg_temp.recorded(),
    'api_key.revoked api_key user ' || tests.user_id('admin') || ' tests {}',
    'an admin who revokes an API key is recorded'
);
select tests.as('api_key');
select is(pg_temp.recorded(), null, 'an API key that is used is no event');
select tests.as_superuser();
update app.api_keys set name = name || '!' where organisation_id = tests.organisation();
select is(pg_temp.recorded(), null, 'an API key renamed by hand is no event');
update app.api_keys set revoked_at = now() where organisation_id = tests.organisation() and revoked_at is null;
select is(
    pg_temp.recorded(), 'api_key.revoked api_key database_role ' || session_user || ' - {}',
    'a superuser who revokes an API key is recorded'
);
delete from app.api_keys
where organisation_id in (tests.organisation(), tests.organisation('Globex'));
select is(
    pg_temp.recorded(), 'api_key.revoked api_key database_role ' || session_user || ' - {}',
    'of API keys deleted by hand, those that still lived are recorded'
);

-- Targets and organisations.
select is_empty(
    $$
    select from audit.events as e
    where e.occurred_at = now() and (
        e.organisation_id not in (select o.organisation_id from app.organisations as o)
        or case e.target_type
            when 'organisation' then e.target_id <> e.organisation_id
            when 'project' then e.action <> 'project.deleted' and not exists (
                select from app.projects as p
                where p.organisation_id = e.organisation_id and p.project_id = e.target_id
            ) and e.target_id not in (
                select d.target_id from audit.events as d where d.action = 'project.deleted'
            )
            when 'member' then not exists (select from app.users as u where u.user_id = e.target_id)
            else e.target_id is null
        end
    )
    $$,
    'every event is of the organisation of its target'
);
select is_empty(
    $$
    select from audit.events
    where organisation_id in (tests.organisation(), tests.organisation('Globex')) and occurred_at <> now()
    $$,
    'every event is of the moment of its change'
);

-- Accounts: of no organisation.
select tests.as_nobody();
select is(
    (
        select count(*)::integer
        from api.register('new@x.example', 'New', sha256('salt'), 'm=8,t=1,p=1', 'output', 'register') as u
    ),
    1, 'somebody registers'
);
select is(
    pg_temp.recorded(),
    (
        select 'user.registered user user ' || (select ctx.user_id()) || ' register {}'
    ),
    'who registers is recorded as themself'
);
select isnt(
    (select l.user_id from api.login('NEW@x.example', 'output', sha256('session'), 60, 'login') as l),
    null, 'a user logs in'
);
select is(
    pg_temp.recorded(),
    'user.logged_in user user ' || ctx.user_id() || ' login {}', 'who logs in is recorded as themself'
);
select is(
    (select l.user_id from api.login('new@x.example', 'wrong', sha256('other'), 60, 'failed') as l),
    null, 'somebody fails to log in'
);
select is(
    pg_temp.recorded(), 'user.login_failed user anonymous failed {}',
    'who fails is nobody, and what they said is not recorded'
);
select tests.as_superuser();
select is(
    (select actor_user_id from audit.events where action = 'user.login_failed' and occurred_at = now()),
    null,
    'who fails is not the user whose email it was'
);
select tests.as_nobody();
select is(
    (select l.user_id from api.login('nobody@x.example', 'wrong', sha256('other'), 60, 'unknown') as l),
    null, 'somebody fails to log in under an email nobody has'
);
select is(
    pg_temp.recorded(), 'user.login_failed user anonymous unknown {}', 'that is recorded alike'
);
select tests.as_superuser();
select results_eq(
    $$ select request_id, organisation_id, target_id is null from audit.events
    where action ~ '^user' and occurred_at = now() order by request_id $$,
    $$
    select v.request_id, '00000000-0000-0000-0000-000000000000'::uuid, v.no_target
    from (values ('failed', false), ('login', false), ('register', false), ('unknown', true)) as v (request_id, no_target)
    $$,
    'what is of no organisation has the nil one, and the target is the account, if there is one'
);

-- The count for the metric.
select tests.as('owner');
select set_config('app.audit_events', '', true);
insert into app.projects (organisation_id, name) values (tests.organisation(), 'a'), (tests.organisation(), 'b');
update app.projects set status = 'archived' where name = 'a';
update app.projects set status = status;
select is(current_setting('app.audit_events'), '3', 'events are counted for the metric');
select set_config('app.audit_events', 'x', true);
update app.projects set status = 'active' where name = 'a';
select is(
    current_setting('app.audit_events'), '1', 'an owner who writes text there stops nothing'
);

-- The API's own login acts for nobody but whom it has entered as, whatever it puts into a setting.
select tests.as_superuser();
set session authorization saas_api;
select throws_ok(
    'select audit.actor()', '42501', null, 'the API does not ask who acts'
);
select tests.as_nobody();
select throws_ok(
    format($$ insert into app.projects (organisation_id, name) values (%L, 'x') $$, tests.organisation()),
    'SA401', null, 'the API without a context is no database role'
);
select gate.enter(tests.credential('owner'), 'dba:vera', tests.organisation(), 'projects.write');
insert into app.projects (organisation_id, name) values (tests.organisation(), 'by an owner');
select throws_ok(
    $$ update app.projects set status = 'archived' returning set_config('app.seal', '', true) $$,
    'SA401', null, 'an owner who takes off the seal between the change and its event is refused'
);
reset session authorization;
select tests.as_superuser();
select results_eq(
    $$ select actor_type, actor_database_role from audit.events where request_id = 'dba:vera' and occurred_at = now() $$,
    $$ values ('user', null::text) $$,
    'a request whose id looks like a DBA''s is the user''s all the same'
);

-- Before any partition is made anew.
select tests.as_superuser();
select throws_ok(
    'truncate audit.events_default', 'SA403', 'audit events are append-only',
    'a superuser does not truncate the events of a month without a partition'
);

select * from finish();
rollback;
