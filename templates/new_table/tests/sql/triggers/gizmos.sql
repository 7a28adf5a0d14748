-- What the triggers and the constraints of gizmos do: times, events, and what a row must be.
begin;
select plan(17);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
insert into app.gizmos (organisation_id, name, created_at, updated_at)
values (tests.organisation(), 'Apollo', '2026-01-01 00:00Z', '2026-01-01 00:00Z');
create temporary table before as
select audit_event_id from audit.events where occurred_at = now();
grant select on table before to public;

-- The events of this file, which is one moment, since the last look, as one text.
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
                ' ', e.action, e.actor_type,
                coalesce(e.actor_user_id::text, e.actor_database_role), e.changes
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

-- Times.
select tests.as('member');
update app.gizmos set name = name;
select results_eq(
    'select updated_at from app.gizmos', array['2026-01-01 00:00Z'::timestamptz],
    'a member who changes no value leaves updated_at as it was'
);
select is(pg_temp.recorded(), null, 'a change that changes nothing is no event');
update app.gizmos set name = 'Apollo 11';
select results_eq(
    'select updated_at, created_at from app.gizmos',
    $$ values (now(), '2026-01-01 00:00Z'::timestamptz) $$,
    'a member who changes a value moves updated_at, and created_at stays'
);

-- Events.
select is(
    pg_temp.recorded(),
    'gizmo.updated user ' || tests.user_id('member')
    || ' {"name": {"new": "Apollo 11", "old": "Apollo"}}',
    'a member who renames a gizmo is recorded, with what changed'
);
insert into app.gizmos (organisation_id, name)
values (tests.organisation(), 'Gemini'), (tests.organisation(), 'Mercury');
select is(
    pg_temp.recorded(),
    'gizmo.created user ' || tests.user_id('member')
    || ' {"name": {"new": "Gemini", "old": null}}, '
    || 'gizmo.created user ' || tests.user_id('member')
    || ' {"name": {"new": "Mercury", "old": null}}',
    'a statement that creates two gizmos is two events'
);
update app.gizmos set name = 'Gemini' where name in ('Gemini', 'Mercury');
select is(
    pg_temp.recorded(),
    'gizmo.updated user ' || tests.user_id('member')
    || ' {"name": {"new": "Gemini", "old": "Mercury"}}',
    'of two gizmos the one that changed is one event'
);
update app.gizmos set deleted_at = now() where name = 'Apollo 11';
select is(
    pg_temp.recorded(), 'gizmo.deleted user ' || tests.user_id('member') || ' {}',
    'a member who deletes a gizmo is recorded'
);
update app.gizmos set name = 'Apollo 12' where name = 'Apollo 11';
select is(
    pg_temp.recorded(),
    'gizmo.updated user ' || tests.user_id('member')
    || ' {"name": {"new": "Apollo 12", "old": "Apollo 11"}}',
    'a deleted gizmo that is changed by hand was not deleted again'
);
select tests.as_superuser();
update app.gizmos set deleted_at = null
where organisation_id = tests.organisation() and name = 'Apollo 12';
select matches(
    pg_temp.recorded(),
    '^gizmo.updated database_role ' || session_user
    || ' {"deleted_at": {"new": null, "old": ".+"}}$',
    'a superuser who brings a gizmo back is recorded as a database role'
);
update app.gizmos set deleted_at = now()
where organisation_id = tests.organisation() and name = 'Apollo 12';
select pg_temp.recorded();
delete from app.gizmos where organisation_id = tests.organisation();
select is(
    pg_temp.recorded(),
    'gizmo.deleted database_role ' || session_user || ' {}, '
    || 'gizmo.deleted database_role ' || session_user || ' {}',
    'of gizmos deleted by hand those are recorded that were not deleted before'
);
select is_empty(
    $$
    select from audit.events
    where
        occurred_at = now() and starts_with(action, 'gizmo.')
        and (target_type, organisation_id) is distinct from ('gizmo', tests.organisation())
    $$,
    'every event is of its target and of the organisation'
);

-- What a row must be.
insert into app.gizmos (organisation_id, gizmo_id, name)
values (tests.organisation(), tests.organisation(), 'Apollo');
select is(tests.answer(c.call, null), c.answer, c.what)
from (
    values
        (
            'insert into app.gizmos (organisation_id, gizmo_id, name) values ($2, $2, ''x'')',
            '23505 gizmos_pkey', 'an id is taken once in an organisation'
        ),
        (
            'insert into app.gizmos (organisation_id, gizmo_id, name)'
            ' values (tests.organisation(''Globex''), $2, ''x'')',
            'SA200', 'and is free in another: nobody learns of it'
        ),
        (
            'insert into app.gizmos (organisation_id, name)'
            ' values (tests.organisation(''None''), ''x'')',
            '23503 gizmos_organisation_id_fkey', 'an organisation has to be there'
        ),
        (
            $$ insert into app.gizmos (organisation_id, name) values ($2, e' \t\n') $$,
            '23514 gizmos_name_not_blank', 'a name is not blank'
        ),
        (
            'insert into app.gizmos (organisation_id, name) values ($2, repeat(''x'', 200))',
            'SA200', 'a name has up to 200 characters'
        ),
        (
            'insert into app.gizmos (organisation_id, name) values ($2, repeat(''x'', 201))',
            '23514 gizmos_name_not_blank', 'and not more'
        )
) as c (call, answer, what);

select * from finish();
rollback;
