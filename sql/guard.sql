-- The guard: a transaction that would leave a table of ours open is refused when it commits. Run
-- by `saas-api bootstrap` where its admin is a superuser, who alone can make event triggers.
-- Safe to run twice.
--
-- It judges what a transaction leaves, not what it does on the way: a migration makes a table and
-- locks it in a later statement, and policies are dropped to be made anew. So the event triggers
-- only note what was touched, and a deferred trigger on guard.pending judges it at the end.
-- `set event_triggers = off`, which takes a superuser, does without.
--
-- Ours are the schemas of saas_owner, and views elsewhere that read from them. This schema belongs
-- to the superuser, with all in it, since a superuser's DDL runs it too: code that saas_owner could
-- exchange would be a way to become one.
create schema if not exists guard;
comment on schema guard is 'Refuses DDL that would leave a table open. A superuser''s; there only where one ran saas-api bootstrap.';

create or replace function guard.faults(p_relation oid, p_transaction xid8)
returns table (fault text, hint text)
language sql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
    with recursive
    -- The relation, and if it is a view, all that it reads from.
    source (oid) as (
        select p_relation
        union
        select d.refobjid
        from source as s
        join pg_class as v on v.oid = s.oid and v.relkind in ('v', 'm') and v.relpersistence <> 't'
        join pg_rewrite as w on w.ev_class = v.oid
        join pg_depend as d
            on d.classid = 'pg_rewrite'::regclass
            and d.objid = w.oid
            and d.refclassid = 'pg_class'::regclass
    ),

    relation as (
        select
            c.*, c.oid::regclass as name, n.nspname,
            (
                select bool_or(a.attnotnull)
                from pg_attribute as a
                where a.attrelid = c.oid and a.attname = 'organisation_id'
            ) as has_tenant -- null: there is no such column
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where
            c.oid = p_relation
            and exists (
                select
                from source as s
                join pg_class as t on t.oid = s.oid
                join pg_namespace as m on m.oid = t.relnamespace
                where m.nspowner = 'saas_owner'::regrole
            )
    ),

    -- What a wall may say, as PostgreSQL words it: the row is of the tenant entered, whatever else is
    -- asked besides. An equality PostgreSQL may ask last, so that the rest would be asked of other
    -- tenants' rows: beside other conditions it has to be = any. The gate may read all and write
    -- none, the owner clear away what is past its time, and the audit's triggers write what no user
    -- or API key did.
    wall (reads, writes) as (
        select
            format(
                '^(%1$s|%2$s|\(%2$s AND .*'
                '|\(\(CURRENT_USER = ''saas_gate''::name\) OR %1$s\)'
                '|\s*CASE CURRENT_USER\s+WHEN ''saas_owner''::name '
                'THEN \(\w+ < \(now\(\) - ''[^'']+''::interval\)\)\s+ELSE %1$s\s+END)$',
                t.equal, t.listed
            ),
            format(
                '^(%1$s|%2$s|\((%1$s|%2$s) AND .*'
                '|\(\( SELECT \(CURRENT_USER = ''saas_audit''::name\)\) AND '
                '\(\(actor_type = ANY \(ARRAY\[''database_role''::text, ''anonymous''::text\]\)\) '
                'OR %1$s\)\))$',
                t.equal, t.listed
            )
        from (
            values (
                '\(organisation_id = '
                '(\( SELECT ctx\.tenant_(id\(\)|for\(''[\w.]+''::text\)) AS \w+\)'
                '|COALESCE\(\( SELECT ctx\.tenant_id\(\) AS \w+\), '
                '''00000000-0000-0000-0000-000000000000''::uuid\))\)',
                '\(organisation_id = ANY \(ARRAY\['
                '\( SELECT ctx\.tenant_(id\(\)|for\(''[\w.]+''::text\)) AS \w+\)\]\)\)'
            )
        ) as t (equal, listed)
    ),

    public_right as (
        select
            r.object,
            coalesce(r.hint, format('revoke all on %s from public', r.object)) as hint,
            string_agg(distinct lower(a.privilege_type), ', ') as privileges
        from (
            select null, 'schema ' || quote_ident(n.nspname), n.oid, n.xmin,
                coalesce(n.nspacl, acldefault('n', n.nspowner))
            from pg_namespace as n
            union all
            select null, 'table ' || c.oid::regclass, c.relnamespace, c.xmin, c.relacl
            from pg_class as c
            union all
            select null, 'table ' || c.oid::regclass, c.relnamespace, a.xmin, a.attacl
            from pg_attribute as a
            join pg_class as c on c.oid = a.attrelid
            union all
            select null, 'function ' || p.oid::regprocedure, p.pronamespace, p.xmin,
                coalesce(p.proacl, acldefault('f', p.proowner))
            from pg_proc as p
            union all
            -- Of types everybody may make use as it is.
            select
                format(
                    'alter default privileges for role %s%s revoke all on %s from public',
                    d.defaclrole::regrole, ' in schema ' || nullif(d.defaclnamespace, 0)::regnamespace,
                    k.things
                ),
                format('%s that %s will make', k.things, d.defaclrole::regrole),
                nullif(d.defaclnamespace, 0), d.xmin, d.defaclacl
            from pg_default_acl as d
            join (
                values
                    ('r', 'tables'), ('S', 'sequences'), ('f', 'functions'), ('n', 'schemas'),
                    ('L', 'large objects')
            ) as k (kind, things)
                on k.kind = d.defaclobjtype
            where d.defaclnamespace <> 0 or d.defaclrole = 'saas_owner'::regrole
        ) as r (hint, object, namespace, written_by, rights)
        left join pg_namespace as n on n.oid = r.namespace
        cross join lateral aclexplode(r.rights) as a
        where
            p_relation = 0
            and (n.nspowner = 'saas_owner'::regrole or r.namespace is null)
            and a.grantee = 0
            -- Only what was written since it began: an older fault is not its own, and must not
            -- stand in its way.
            and age(r.written_by) <= age(p_transaction::xid)
        group by r.object, r.hint
    )

    select
        format('row-level security is not enabled and forced on %s', r.name),
        format('alter table %s enable row level security, force row level security', r.name)
    from relation as r
    where
        r.relkind in ('r', 'p')
        and not (r.relrowsecurity and r.relforcerowsecurity)
        and r.nspname <> 'deploy' -- yoyo makes its own tables, and sql/ledger.sql locks them later
    union all
    select
        format('%s has no tenant', r.name),
        format(
            'give it organisation_id uuid not null, first in its primary key; '
            'a table of no tenant is not for schema %I', r.nspname
        )
    from relation as r
    where
        r.relkind in ('r', 'p')
        and r.nspname not in ('auth', 'deploy') -- reached by the gate alone, and by migrations
        and (r.nspname, r.relname) <> ('app', 'users') -- a person may be of many tenants
        and r.has_tenant is not true
    union all
    select
        format('%s has policies and no wall', r.name),
        format(
            'create policy tenant_isolation on %s as restrictive for all to public '
            || 'using (organisation_id = (select ctx.tenant_id()))', r.name
        )
    from relation as r
    cross join wall as k
    where
        r.has_tenant is not null
        and r.nspname <> 'auth' -- looked up before anybody has entered anywhere
        and exists (select from pg_policy as p where p.polrelid = r.oid and p.polpermissive)
        and not exists (
            select
            from pg_policy as p
            where
                p.polrelid = r.oid
                and not p.polpermissive
                and p.polcmd = '*'
                and p.polroles = '{0}'
                and pg_get_expr(p.polqual, p.polrelid) ~ k.reads
                and pg_get_expr(coalesce(p.polwithcheck, p.polqual), p.polrelid) ~ k.writes
        )
    union all
    select
        format('no policy holds for who reads %s', r.name),
        'make it a view with (security_invoker = true)'
    from relation as r
    where
        r.relkind in ('m', 'f')
        or (
            r.relkind = 'v'
            -- Its owner's rights, on purpose: the policies of app.projects bind saas_owner, too.
            and (r.nspname, r.relname, r.relowner)
            <> ('api', 'listed_projects', 'saas_owner'::regrole)
            and not exists (
                select
                from pg_options_to_table(r.reloptions) as o
                where case when o.option_name = 'security_invoker' then o.option_value::boolean end
            )
        )
    union all
    select
        format('PUBLIC has %s on %s', r.privileges, r.object),
        r.hint
    from public_right as r;
$$;
comment on function guard.faults(oid, xid8) is
    'What is open, and what would close it: a table or view, or for 0 what the transaction under way has opened to PUBLIC.';

create or replace function guard.judge()
returns trigger
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_found record;
begin
    delete from guard.pending; -- of others' there is none to be seen
    select string_agg(f.fault, '; ') as faults, string_agg(f.hint, '; ') as hints
    into v_found
    from guard.faults(new.relation, new.transaction) as f;
    if v_found.faults is not null then
        raise exception using errcode = 'SA403', message = v_found.faults, hint = v_found.hints;
    end if;
    return null;
end
$$;
comment on function guard.judge() is
    'Trigger: refuses what a transaction would leave open. Raises SA403, with a hint.';

-- A definer, so that whoever may change a table may note it.
create or replace function guard.note_commands()
returns event_trigger
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into guard.pending (transaction, relation)
    select
        pg_current_xact_id(),
        case c.classid
            when 'pg_class'::regclass then c.objid
            when 'pg_policy'::regclass
                then (select p.polrelid from pg_policy as p where p.oid = c.objid)
            else 0 -- a GRANT does not say on what
        end
    from pg_event_trigger_ddl_commands() as c
    on conflict do nothing;
end
$$;
comment on function guard.note_commands() is 'Event trigger: notes what a command has made or changed.';

-- A definer, for the same reason.
create or replace function guard.note_drops()
returns event_trigger
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into guard.pending (transaction, relation)
    select pg_current_xact_id(), c.oid
    from pg_event_trigger_dropped_objects() as d
    join pg_class as c
        on c.oid = to_regclass(format('%I.%I', d.address_names[1], d.address_names[2]))
    where d.object_type = 'policy'
    on conflict do nothing;
end
$$;
comment on function guard.note_drops() is 'Event trigger: notes the tables that have lost a policy.';

revoke all on function
    guard.faults(oid, xid8), guard.judge(), guard.note_commands(), guard.note_drops()
from public;

do $$
begin
    -- Once: to change it waits for every transaction that has touched something.
    if to_regclass('guard.pending') is null then
        create table guard.pending (
            transaction xid8 not null,
            relation oid not null,
            constraint pending_pkey primary key (transaction, relation)
        );
        alter table guard.pending enable row level security;
        alter table guard.pending force row level security;
        comment on table guard.pending is
            'What the transaction under way has touched; always empty to others.';
        comment on column guard.pending.transaction is
            'The transaction, in which the row comes and goes.';
        comment on column guard.pending.relation is
            'The table or view; 0 for the rights of PUBLIC on anything.';
        create constraint trigger _900_judge
        after insert on guard.pending
        deferrable initially deferred
        for each row execute function guard.judge();
        comment on trigger _900_judge on guard.pending is 'At the end of the transaction.';
    end if;

    drop event trigger if exists guard_commands;
    create event trigger guard_commands on ddl_command_end
    execute function guard.note_commands();
    comment on event trigger guard_commands is 'Notes what is made or changed: sql/guard.sql.';

    drop event trigger if exists guard_drops;
    create event trigger guard_drops on sql_drop
    execute function guard.note_drops();
    comment on event trigger guard_drops is 'Notes which tables lose a policy: sql/guard.sql.';
end
$$;
