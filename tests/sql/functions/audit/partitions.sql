-- Partitions: made ahead, dropped when they are past their time, and none lost.
begin;
select plan(21);

create function pg_temp.month(p_offset integer)
returns timestamptz
language sql
as $$
    select (date_trunc('month', now() at time zone 'UTC') + make_interval(months => p_offset)) at time zone 'UTC';
$$;
create function pg_temp.name(p_offset integer)
returns text
language sql
as $$ select to_char(pg_temp.month(p_offset) at time zone 'UTC', '"events_"YYYY_MM'); $$;
create procedure pg_temp.record(p_at timestamptz, p_request_id text)
language sql
as $$
    insert into audit.events (
        organisation_id, occurred_at, action, actor_type, actor_database_role, target_type, request_id
    )
    values (tests.organisation(), p_at, 'project.created', 'database_role', 'x', 'project', p_request_id);
$$;
create function pg_temp.place(p_request_id text)
returns text
language sql
as $$ select tableoid::regclass::text from audit.events where request_id = p_request_id; $$;

-- Those that are there are set aside, so that the table is as it was before any was made.
do $$
declare
    v_name text;
begin
    for v_name in
        select c.relname from pg_inherits as i join pg_class as c on c.oid = i.inhrelid
        where i.inhparent = 'audit.events'::regclass
    loop
        execute format('alter table audit.events detach partition audit.%I', v_name);
        execute format('alter table audit.%I rename to %I', v_name, 'kept_' || v_name);
    end loop;
end
$$;
set local role saas_owner;
select audit.add_partition('events_default', 'default', 'For a month that has no partition yet.');
reset role;

-- An event of a time without a partition is not lost.
call pg_temp.record(pg_temp.month(0) + interval '1 hour', 'early');
select is(pg_temp.place('early'), 'audit.events_default', 'an event without a partition is kept');

-- Ahead.
set local role saas_owner;
select lives_ok('select audit.prepare_partitions(2)', 'the owner makes partitions ahead');
reset role;
select results_eq(
    'select p.name, p.starts_at, p.ends_at from audit.partitions() as p',
    'select pg_temp.name(m), pg_temp.month(m), pg_temp.month(m + 1) from generate_series(0, 2) as m',
    'there is one for this month and for each of the next two'
);
select is(
    pg_temp.place('early'), 'audit.' || pg_temp.name(0), 'the event that came early is in its month'
);
call pg_temp.record(pg_temp.month(0), 'first');
call pg_temp.record(pg_temp.month(1) - interval '1 microsecond', 'last');
call pg_temp.record(pg_temp.month(1), 'next');
call pg_temp.record(pg_temp.month(3), 'beyond');
select is(pg_temp.place('first'), 'audit.' || pg_temp.name(0), 'the first moment of a month is in it');
select is(pg_temp.place('last'), 'audit.' || pg_temp.name(0), 'and the last');
select is(pg_temp.place('next'), 'audit.' || pg_temp.name(1), 'the next moment is in the next');
select is(pg_temp.place('beyond'), 'audit.events_default', 'what is beyond them is kept');
call pg_temp.record(pg_temp.month(5), 'far beyond');
set local role saas_owner;
select lives_ok('select audit.prepare_partitions(7)', 'they are made again when some are there');
reset role;
select is(
    (select array_agg(p.name order by p.starts_at) from audit.partitions() as p),
    array[
        pg_temp.name(0), pg_temp.name(1), pg_temp.name(2),
        pg_temp.name(3) || replace(pg_temp.name(5), 'events', '_to'), pg_temp.name(6), pg_temp.name(7)
    ],
    'the months that were in the default partition are one, the others have their own'
);
select is(
    (select array_agg(distinct pg_temp.place(r)) from unnest(array['beyond', 'far beyond']) as r),
    array['audit.' || pg_temp.name(3) || replace(pg_temp.name(5), 'events', '_to')],
    'and nothing is lost'
);
select is((select count(*) from audit.events), 6::bigint, 'there are as many events as before');
create temporary table before as select p.* from audit.partitions() as p;
set local role saas_owner;
select audit.prepare_partitions(7);
reset role;
select results_eq(
    'select * from before', 'select * from audit.partitions()', 'once more changes nothing'
);

-- Born locked, also those that were the default one.
select is_empty(
    $$
    select c.relname
    from pg_catalog.pg_inherits as i join pg_catalog.pg_class as c on c.oid = i.inhrelid
    where
        i.inhparent = 'audit.events'::regclass
        and not (
            c.relrowsecurity and c.relforcerowsecurity and c.relowner = 'saas_owner'::regrole
            and (select count(*) from pg_catalog.pg_trigger as t where t.tgrelid = c.oid and t.tgfoid = 'audit.refuse_change()'::regprocedure) = 2
            and (select count(*) from pg_catalog.pg_index as x where x.indrelid = c.oid and x.indisprimary) = 1
            and obj_description(c.oid, 'pg_class') is not null
        )
    $$,
    'each is owned, locked, append-only and keyed as its table is'
);

-- Retention.
select audit.add_partition(
    pg_temp.name(-m), format('for values from (%L) to (%L)', pg_temp.month(-m), pg_temp.month(1 - m)), 'Old.'
)
from generate_series(1, 3) as m;
call pg_temp.record(pg_temp.month(-2), 'old');
set local role saas_owner;
select results_eq(
    'select audit.drop_partitions(2)', array[pg_temp.name(-3)],
    'to keep two months drops those before'
);
select is_empty('select audit.drop_partitions(2)', 'once more drops nothing');
select results_eq(
    'select audit.drop_partitions(0)', array[pg_temp.name(-2), pg_temp.name(-1)],
    'to keep none leaves the month that runs'
);
reset role;
select is(
    (select count(*) from audit.events where request_id = 'old'), 0::bigint, 'what they held is gone'
);

-- Nobody else.
select tests.as_nobody();
select throws_ok(
    'select audit.drop_partitions(0)', '42501', null, 'the API may not drop a partition'
);

-- A month that is skipped: the one after it does not stand for it.
select tests.as_superuser();
set local role saas_owner;
select audit.add_partition(
    pg_temp.name(20), format('for values from (%L) to (%L)', pg_temp.month(20), pg_temp.month(21)), 'Ahead.'
);
select audit.prepare_partitions(20);
select tests.as_superuser();
select is_empty(
    $$
    select pg_temp.name(m) from generate_series(0, 20) as m
    where not exists (
        select from audit.partitions() as p
        where p.starts_at <= pg_temp.month(m) and pg_temp.month(m) < p.ends_at
    )
    $$,
    'months before one that is there already are made all the same'
);

-- Another partitioned table is none of its business.
select tests.as_superuser();
create table app.readings (at timestamptz not null) partition by range (at);
create table app.readings_old partition of app.readings for values from ('2001-01-01') to ('2002-01-01');
select is_empty(
    $$ select name from audit.partitions() where starts_at < '2010-01-01' $$,
    'the partitions of another table are not listed'
);

select * from finish();
rollback;
