begin;

-- This month's, the next one's, and whatever else there is.
set local role saas_owner;
select audit.prepare_partitions(1);
reset role;
create temporary view partition as
select 'audit.' || c.relname as name
from pg_catalog.pg_inherits as i
join pg_catalog.pg_class as c on c.oid = i.inhrelid
where i.inhparent = 'audit.events'::regclass;
grant select on table partition to public;

select plan(70 + 41 * (select count(*)::integer from partition));

-- All that is granted.
select results_eq(
    $$ select * from tests.grants('audit.events') $$,
    array[
        'saas_api: SELECT',
        'saas_audit: INSERT'
    ],
    'audit.events is granted to whom it must be and to nobody else'
);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');

select tests.as('owner');
select results_eq(
    'select distinct organisation_id from audit.events', array[tests.organisation()],
    'an owner reads the events of the organisation and no other, nor those of none'
);

select tests.as('admin');
select results_eq(
    'select distinct organisation_id from audit.events', array[tests.organisation()],
    'an admin reads the events of the organisation and no other, nor those of none'
);

select tests.as('member');
select is_empty('table audit.events', 'a member reads no event');

select tests.as('viewer');
select is_empty('table audit.events', 'a viewer reads no event');

select tests.as('api_key');
select is_empty('table audit.events', 'an API key reads no event');

select tests.as('stranger');
select is_empty('table audit.events', 'a stranger reads no event');

select tests.as('owner');
select throws_ok(
    $$
    insert into audit.events (organisation_id, action, actor_type, actor_user_id, target_type)
    values (tests.organisation(), 'project.created', 'user', tests.user_id('owner'), 'project')
    $$,
    '42501', 'permission denied for table events', 'an owner may not record an event'
);
select throws_ok(
    $$ update audit.events set changes = '{}' $$,
    '42501', 'permission denied for table events', 'an owner may not change an event'
);
select tests.may_not_delete_or_stop('an owner', 'audit.events');
select throws_ok(
    format(s.statement, p.name), '42501', null, format('an owner may not %s %s', s.what, p.name)
)
from partition as p,
    (
        values
            ('read', 'table %s'),
            ('add to', 'insert into %s default values'),
            ('change', 'update %s set changes = default'),
            ('delete from', 'delete from %s'),
            ('truncate', 'truncate %s'),
            ('detach', 'alter table audit.events detach partition %s')
    ) as s (what, statement);

select tests.as('admin');
select throws_ok(
    $$
    insert into audit.events (organisation_id, action, actor_type, actor_user_id, target_type)
    values (tests.organisation(), 'project.created', 'user', tests.user_id('admin'), 'project')
    $$,
    '42501', 'permission denied for table events', 'an admin may not record an event'
);
select throws_ok(
    $$ update audit.events set changes = '{}' $$,
    '42501', 'permission denied for table events', 'an admin may not change an event'
);
select tests.may_not_delete_or_stop('an admin', 'audit.events');
select throws_ok(
    format(s.statement, p.name), '42501', null, format('an admin may not %s %s', s.what, p.name)
)
from partition as p,
    (
        values
            ('read', 'table %s'),
            ('add to', 'insert into %s default values'),
            ('change', 'update %s set changes = default'),
            ('delete from', 'delete from %s'),
            ('truncate', 'truncate %s'),
            ('detach', 'alter table audit.events detach partition %s')
    ) as s (what, statement);

select tests.as('member');
select throws_ok(
    $$
    insert into audit.events (organisation_id, action, actor_type, actor_user_id, target_type)
    values (tests.organisation(), 'project.created', 'user', tests.user_id('member'), 'project')
    $$,
    '42501', 'permission denied for table events', 'a member may not record an event'
);
select throws_ok(
    $$ update audit.events set changes = '{}' $$,
    '42501', 'permission denied for table events', 'a member may not change an event'
);
select tests.may_not_delete_or_stop('a member', 'audit.events');
select throws_ok(
    format(s.statement, p.name), '42501', null, format('a member may not %s %s', s.what, p.name)
)
from partition as p,
    (
        values
            ('read', 'table %s'),
            ('add to', 'insert into %s default values'),
            ('change', 'update %s set changes = default'),
            ('delete from', 'delete from %s'),
            ('truncate', 'truncate %s'),
            ('detach', 'alter table audit.events detach partition %s')
    ) as s (what, statement);

select tests.as('viewer');
select throws_ok(
    $$
    insert into audit.events (organisation_id, action, actor_type, actor_user_id, target_type)
    values (tests.organisation(), 'project.created', 'user', tests.user_id('viewer'), 'project')
    $$,
    '42501', 'permission denied for table events', 'a viewer may not record an event'
);
select throws_ok(
    $$ update audit.events set changes = '{}' $$,
    '42501', 'permission denied for table events', 'a viewer may not change an event'
);
select tests.may_not_delete_or_stop('a viewer', 'audit.events');
select throws_ok(
    format(s.statement, p.name), '42501', null, format('a viewer may not %s %s', s.what, p.name)
)
from partition as p,
    (
        values
            ('read', 'table %s'),
            ('add to', 'insert into %s default values'),
            ('change', 'update %s set changes = default'),
            ('delete from', 'delete from %s'),
            ('truncate', 'truncate %s'),
            ('detach', 'alter table audit.events detach partition %s')
    ) as s (what, statement);

select tests.as('api_key');
select throws_ok(
    $$
    insert into audit.events (organisation_id, action, actor_type, actor_user_id, target_type)
    values (tests.organisation(), 'project.created', 'user', tests.user_id('api_key'), 'project')
    $$,
    '42501', 'permission denied for table events', 'an API key may not record an event'
);
select throws_ok(
    $$ update audit.events set changes = '{}' $$,
    '42501', 'permission denied for table events', 'an API key may not change an event'
);
select tests.may_not_delete_or_stop('an API key', 'audit.events');
select throws_ok(
    format(s.statement, p.name), '42501', null, format('an API key may not %s %s', s.what, p.name)
)
from partition as p,
    (
        values
            ('read', 'table %s'),
            ('add to', 'insert into %s default values'),
            ('change', 'update %s set changes = default'),
            ('delete from', 'delete from %s'),
            ('truncate', 'truncate %s'),
            ('detach', 'alter table audit.events detach partition %s')
    ) as s (what, statement);

select tests.as('stranger');
select throws_ok(
    $$
    insert into audit.events (organisation_id, action, actor_type, actor_user_id, target_type)
    values (tests.organisation(), 'project.created', 'user', tests.user_id('stranger'), 'project')
    $$,
    '42501', 'permission denied for table events', 'a stranger may not record an event'
);
select throws_ok(
    $$ update audit.events set changes = '{}' $$,
    '42501', 'permission denied for table events', 'a stranger may not change an event'
);
select tests.may_not_delete_or_stop('a stranger', 'audit.events');
select throws_ok(
    format(s.statement, p.name), '42501', null, format('a stranger may not %s %s', s.what, p.name)
)
from partition as p,
    (
        values
            ('read', 'table %s'),
            ('add to', 'insert into %s default values'),
            ('change', 'update %s set changes = default'),
            ('delete from', 'delete from %s'),
            ('truncate', 'truncate %s'),
            ('detach', 'alter table audit.events detach partition %s')
    ) as s (what, statement);

-- No context, and a forged one.
select tests.as_nobody();
select throws_ok('table audit.events', 'SA401', null, 'nobody reads an event without a context');
select tests.as_forger('owner');
select throws_ok('table audit.events', 'SA401', null, 'a forger reads no event');

-- The gate has no business here.
set local role saas_gate;
select tests.may_not_touch('the gate', 'audit.events', 'changes');

-- The writer: what a user or an API key did, where they have entered; what a database role or
-- nobody did, anywhere. It writes nothing else, and reads nothing.
select tests.as('viewer');
set local role saas_audit;
select lives_ok(
    $$
    insert into audit.events (organisation_id, action, actor_type, actor_user_id, target_type)
    values (tests.organisation(), 'project.created', 'user', tests.user_id('viewer'), 'project')
    $$,
    'the writer records what a user did in the organisation entered'
);
select throws_ok(
    $$
    insert into audit.events (organisation_id, action, actor_type, actor_user_id, target_type)
    values (tests.organisation('Globex'), 'project.created', 'user', tests.user_id('viewer'), 'project')
    $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "events"',
    'the writer records nothing a user did in an organisation not entered'
);
select throws_ok(
    $$
    insert into audit.events (organisation_id, action, actor_type, actor_api_key_id, target_type)
    values (tests.organisation('Globex'), 'project.created', 'api_key', uuidv7(), 'project')
    $$,
    '42501', 'new row violates row-level security policy "tenant_isolation" for table "events"',
    'nor anything an API key did there'
);
select lives_ok(
    $$
    insert into audit.events (organisation_id, action, actor_type, actor_database_role, target_type)
    values (tests.organisation('Globex'), 'project.created', 'database_role', 'x', 'project')
    $$,
    'the writer records what a database role did anywhere'
);
select throws_ok('table audit.events', '42501', null, 'the writer reads no event');
select throws_ok(
    $$ update audit.events set changes = '{}' $$, '42501', null, 'the writer changes no event'
);
select throws_ok('delete from audit.events', '42501', null, 'the writer deletes no event');
select throws_ok('truncate audit.events', '42501', null, 'the writer does not truncate the events');
select tests.as_nobody();
set local role saas_audit;
select throws_ok(
    $$
    insert into audit.events (organisation_id, action, actor_type, actor_user_id, target_type)
    values (tests.organisation(), 'project.created', 'user', tests.user_id('viewer'), 'project')
    $$,
    'SA401', null, 'the writer records no user''s event without a context'
);

-- The role that owns the table may write, change and delete by right of ownership, and still not.
select tests.as('owner');
set local role saas_owner;
select is_empty(
    'table audit.events', 'the role that owns the table reads no event'
);
select throws_ok(
    $$
    insert into audit.events (organisation_id, action, actor_type, actor_user_id, target_type)
    values (tests.organisation(), 'project.created', 'user', tests.user_id('owner'), 'project')
    $$,
    '42501', 'new row violates row-level security policy for table "events"',
    'the role that owns the table records no event'
);
select throws_ok(
    format(
        'insert into %s (organisation_id, action, actor_type, actor_database_role, target_type)'
        ' values (tests.organisation(), %L, %L, %L, %L)',
        p.name, 'project.created', 'database_role', 'x', 'project'
    ),
    '42501', null, format('nor in %s', p.name)
)
from partition as p;

-- Append-only: nobody at all, a superuser neither, by the table or by a partition.
set local role saas_owner;
select throws_ok(
    s.statement, 'SA403', 'audit events are append-only',
    format('the role that owns the table may not %s', s.what)
)
from (
    values
        ('change an event', $$ update audit.events set changes = '{}' $$),
        ('delete an event', 'delete from audit.events'),
        ('truncate the events', 'truncate audit.events')
) as s (what, statement);
select throws_ok(
    format('truncate %s', p.name), 'SA403', 'audit events are append-only',
    format('the role that owns the table may not truncate %s', p.name)
)
from partition as p;
select tests.as_superuser();
select throws_ok(
    s.statement, 'SA403', 'audit events are append-only', format('a superuser may not %s', s.what)
)
from (
    values
        ('change an event', $$ update audit.events set changes = '{}' $$),
        ('change no event', $$ update audit.events set changes = '{}' where false $$),
        ('delete an event', 'delete from audit.events'),
        ('truncate the events', 'truncate audit.events')
) as s (what, statement);
select throws_ok(
    format('truncate %s', p.name), 'SA403', 'audit events are append-only',
    format('a superuser may not truncate %s', p.name)
)
from partition as p;
insert into audit.events (
    organisation_id, occurred_at, action, actor_type, actor_database_role, target_type
)
select tests.organisation(), m.at, 'project.created', 'database_role', 'x', 'project'
from (select p.starts_at from audit.partitions() as p union all select '0001-01-01Z') as m (at);
select throws_ok(
    format(s.statement, p.name), 'SA403', 'audit events are append-only',
    format('a superuser may not %s %s', s.what, p.name)
)
from partition as p,
    (
        values ('change an event in', 'update %s set changes = default'), ('delete an event from', 'delete from %s')
    ) as s (what, statement);

select * from finish();
rollback;
