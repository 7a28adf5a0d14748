begin;
select plan(8);

select tests.new_tenant('Acme');
set local session_replication_role = replica;
update app.organisations set created_at = '2026-01-01 00:00Z', updated_at = '2026-01-01 00:00Z'
where organisation_id = tests.organisation();
set local session_replication_role = origin;

select tests.as('admin');
update app.organisations set name = name;
select results_eq(
    'select updated_at from app.organisations', array['2026-01-01 00:00Z'::timestamptz],
    'an admin who changes no value leaves updated_at as it was'
);
update app.organisations set name = 'Acme & Sons';
select results_eq(
    'select updated_at, created_at from app.organisations',
    $$ values (now(), '2026-01-01 00:00Z'::timestamptz) $$,
    'an admin who renames the organisation moves updated_at, and created_at stays'
);

-- An organisation removed by hand, with all that is of it.
select tests.as_superuser();
select tests.new_tenant('Globex');
select tests.new_project('Apollo');
select tests.new_project('Apollo', 'Globex');
create function pg_temp.counts(p_organisation text)
returns text
language sql
as $$
    select concat_ws(
        ' ',
        (select count(*) from app.organisations where organisation_id = tests.organisation($1)),
        (select count(*) from app.memberships where organisation_id = tests.organisation($1)),
        (select count(*) from app.projects where organisation_id = tests.organisation($1)),
        (select count(*) from app.api_keys where organisation_id = tests.organisation($1)),
        (select count(*) from app.api_key_uses where organisation_id = tests.organisation($1)),
        (select count(*) from auth.credentials where organisation_id = tests.organisation($1)),
        (select count(*) from app.users where user_id = tests.user_id('owner', $1)),
        (select count(*) from auth.credentials where user_id = tests.user_id('owner', $1))
    )
$$;
select is(pg_temp.counts('Globex'), '1 4 1 1 1 1 1 1', 'there is an organisation');
create temporary table before as
select e.* from audit.events as e where e.organisation_id = tests.organisation('Globex');
select lives_ok(
    $$ delete from app.organisations where organisation_id = tests.organisation('Globex') $$,
    'a superuser removes it'
);
select is(
    pg_temp.counts('Globex'), '0 0 0 0 0 0 1 1',
    'its members, projects and API keys are gone, and accounts with their sessions are not'
);
select is(pg_temp.counts('Acme'), '1 4 1 1 1 1 1 1', 'another one is as it was');
select is_empty(
    'select * from before except select * from audit.events', 'its events stay'
);
select results_eq(
    $$
    select e.action::text, e.actor_database_role collate "C", count(*)::integer
    from audit.events as e
    where
        e.organisation_id = tests.organisation('Globex')
        and not exists (select from before as b where b.audit_event_id = e.audit_event_id)
    group by 1, 2
    order by 1
    $$,
    $$
    select v.action, session_user::text collate "C", v.events
    from (
        values ('api_key.revoked', 1), ('member.removed', 4), ('project.deleted', 1)
    ) as v (action, events)
    $$,
    'and what went with it is recorded, as the superuser''s doing'
);

select * from finish();
rollback;
