-- A statement can enter twice. Its wall may then have been asked in one organisation and its door in
-- another, where the same user is an owner: what they see and write together is no more than what
-- the role in the row's own organisation may.
begin;
select plan(4);
select tests.new_tenant(n.name) from unnest(array['Acme', 'Globex']) as n (name);
-- Acme's viewer and Acme's admin are owners of Globex.
insert into app.memberships (organisation_id, user_id, role)
select tests.organisation('Globex'), tests.user_id(a.actor), 'owner'
from unnest(array['viewer', 'admin']) as a (actor);
select tests.new_user(a.actor) from unnest(array['newcomer', 'other']) as a (actor);

create temporary view tenant_table as
select c.oid, c.oid::regclass::text as name
from pg_catalog.pg_class as c
join tests.product_schemas as n on n.oid = c.relnamespace
join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attname = 'organisation_id'
where
    c.relkind in ('r', 'p') and not c.relispartition
    and has_table_privilege('saas_api', c.oid, 'select');
grant select on table tenant_table to public;

-- Rows of Acme that the actor sees at most, of two statements and of their two directions: the first
-- row of each enters one organisation, where it asks for no row or for no row of Acme, and its second
-- row enters the other.
create function pg_temp.seen_from_two(p_table text, p_actor text)
returns bigint
language plpgsql
as $$
declare
    v_most bigint := 0;
    v_found bigint;
    v_places text[];
    v_condition text;
begin
    foreach v_condition in array array[
        'e.organisation_id = any (array[case when q.asks then tests.organisation() end])', 'q.asks'
    ] loop
        foreach v_places slice 1 in array array[['Acme', 'Globex'], ['Globex', 'Acme']] loop
            execute format(
                'select max(q.found) from (
                    select
                        gate.enter(
                            tests.credential(%2$L), ''tests'', tests.organisation(q.place),
                            ''projects.read''
                        )::text,
                        (
                            select count(*) filter (where e.organisation_id = tests.organisation())
                            from %1$s as e where %3$s
                        ) as found
                    from (values (%4$L, false), (%5$L, true)) as q (place, asks)
                ) as q',
                p_table, p_actor, v_condition, v_places[1], v_places[2]
            ) into v_found;
            v_most := greatest(v_most, v_found);
        end loop;
    end loop;
    return v_most;
end
$$;
create function pg_temp.seen_from_one(p_table text)
returns bigint
language plpgsql
as $$
declare
    v_found bigint;
begin
    execute format(
        'select count(*) from %s as e where e.organisation_id = tests.organisation()', p_table
    ) into v_found;
    return v_found;
end
$$;

-- Reading. Without an index each condition is asked where PostgreSQL has put it.
set local enable_indexscan = off;
set local enable_indexonlyscan = off;
set local enable_bitmapscan = off;
set local enable_seqscan = on;
create temporary table seen (name text, by_owner bigint, by_viewer bigint, by_both bigint);
grant all on table seen to public;
select tests.as('owner');
insert into seen (name, by_owner) select t.name, pg_temp.seen_from_one(t.name) from tenant_table as t;
select tests.as('viewer');
update seen set by_viewer = pg_temp.seen_from_one(name);
update seen set by_both = pg_temp.seen_from_two(name, 'viewer');
select cmp_ok(
    (select count(*) from seen as s where s.by_owner > s.by_viewer), '>=', 4::bigint,
    'an owner reads members, API keys, their uses and audit events that a viewer does not'
);
select is_empty(
    'select * from seen where by_both > by_viewer',
    'a viewer who is an owner elsewhere reads as a viewer, in whatever order it enters'
);

-- Writing: the first row asks the wall and the door of members, in Acme, the second one that of
-- owners, in Globex.
select tests.as('admin');
select throws_ok(
    $$
    insert into app.memberships (organisation_id, user_id, role)
    select tests.organisation(), tests.user_id(q.actor), q.role
    from (values ('newcomer', 'member', 'Acme'), ('other', 'owner', 'Globex')) as q (actor, role, place)
    where
        gate.enter(
            tests.credential('admin'), 'tests', tests.organisation(q.place), 'projects.read'
        )::text is not null
    $$,
    '42501', 'new row violates row-level security policy for table "memberships"',
    'an admin who is an owner elsewhere makes no owner'
);
select throws_ok(
    $$
    update app.memberships as m
    set role = q.role
    from (values ('member', 'viewer', 'Acme'), ('viewer', 'owner', 'Globex')) as q (actor, role, place)
    where
        m.user_id = tests.user_id(q.actor)
        and m.organisation_id = tests.organisation()
        and gate.enter(
            tests.credential('admin'), 'tests', tests.organisation(q.place), 'projects.read'
        )::text is not null
    $$,
    '42501', 'new row violates row-level security policy for table "memberships"',
    'nor does an admin make an owner of who is a member'
);

select * from finish();
rollback;
