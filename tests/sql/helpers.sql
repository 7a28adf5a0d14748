-- The words the tests in this folder are written in. For test databases only: a superuser loads
-- this file once, after pgTAP, into the template the test databases are copied from.
--
-- Two tenants play every scene, Acme and (where another is needed) Globex; Acme is meant where no
-- name is given. Each has an owner, an admin, a member, a viewer, an api_key and a stranger (who
-- has an account, but no membership). Their ids are made from their names, so that a test can
-- name a row that the actor on stage must not see.

create schema tests;
comment on schema tests is 'For test databases only: actors, and ways to become one of them.';

create function tests.organisation(p_name text default 'Acme')
returns uuid
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select md5(p_name)::uuid;
$$;
comment on function tests.organisation(text) is 'The id of a tenant.';

create function tests.user_id(p_actor text, p_organisation text default 'Acme')
returns uuid
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select md5(p_organisation || '/' || p_actor)::uuid;
$$;
comment on function tests.user_id(text, text) is
    'The id of an actor: of the user, or of the API key itself.';

create function tests.email(p_actor text, p_organisation text default 'Acme')
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select p_actor || '@' || lower(p_organisation) || '.example';
$$;
comment on function tests.email(text, text) is 'The email of an actor.';

create function tests.credential(p_actor text, p_organisation text default 'Acme')
returns bytea
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select sha256(convert_to(p_organisation || '/' || p_actor, 'UTF8'));
$$;
comment on function tests.credential(text, text) is
    'The digest of an actor''s live credential. Nobody has the one of an actor who is not in the play.';

create function tests.project(p_name text, p_organisation text default 'Acme')
returns uuid
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select md5(p_organisation || '/project/' || p_name)::uuid;
$$;
comment on function tests.project(text, text) is 'The id of a project.';

create function tests.new_user(p_actor text, p_organisation text default 'Acme')
returns uuid
language sql
set search_path = pg_catalog, pg_temp
as $$
    insert into app.users (user_id, email, display_name)
    values (
        tests.user_id(p_actor, p_organisation),
        tests.email(p_actor, p_organisation),
        initcap(p_actor)
    );
    insert into auth.passwords (user_id, email_digest, salt, parameters, digest)
    values (
        tests.user_id(p_actor, p_organisation),
        gate.email_digest(tests.email(p_actor, p_organisation)),
        sha256('salt'), 'm=8,t=1,p=1', sha256('output')
    );
    insert into auth.credentials (digest, user_id, expires_at)
    values (
        tests.credential(p_actor, p_organisation),
        tests.user_id(p_actor, p_organisation),
        now() + interval '1 hour'
    )
    returning user_id;
$$;
comment on function tests.new_user(text, text) is
    'A person with an account and a live session, and no membership. As superuser.';

create function tests.new_api_key(p_actor text, p_organisation text default 'Acme')
returns uuid
language sql
set search_path = pg_catalog, pg_temp
as $$
    insert into app.api_keys (organisation_id, api_key_id, name, prefix, created_by_user_id)
    values (
        tests.organisation(p_organisation),
        tests.user_id(p_actor, p_organisation),
        p_actor,
        'saas_' || substr(md5(p_organisation || p_actor), 1, 8),
        tests.user_id('owner', p_organisation)
    );
    insert into app.api_key_uses (organisation_id, api_key_id)
    values (tests.organisation(p_organisation), tests.user_id(p_actor, p_organisation));
    insert into auth.credentials (digest, organisation_id, api_key_id)
    values (
        tests.credential(p_actor, p_organisation),
        tests.organisation(p_organisation),
        tests.user_id(p_actor, p_organisation)
    )
    returning organisation_id;
$$;
comment on function tests.new_api_key(text, text) is 'A live API key, made by the owner. As superuser.';

create function tests.new_tenant(p_name text default 'Acme')
returns uuid
language sql
set search_path = pg_catalog, pg_temp
as $$
    insert into app.organisations (organisation_id, name)
    values (tests.organisation(p_name), p_name);

    select tests.new_user(a.actor, p_name)
    from unnest(array['owner', 'admin', 'member', 'viewer', 'stranger']) as a (actor);

    insert into app.memberships (organisation_id, user_id, role)
    select tests.organisation(p_name), tests.user_id(r.role, p_name), r.role
    from unnest(array['owner', 'admin', 'member', 'viewer']) as r (role);

    select tests.new_api_key('api_key', p_name);
$$;
comment on function tests.new_tenant(text) is
    'A tenant with one actor of every kind, each with a live credential. As superuser.';

create function tests.new_project(p_name text, p_organisation text default 'Acme')
returns uuid
language sql
set search_path = pg_catalog, pg_temp
as $$
    insert into app.projects (organisation_id, project_id, name)
    values (tests.organisation(p_organisation), tests.project(p_name, p_organisation), p_name)
    returning project_id;
$$;
comment on function tests.new_project(text, text) is 'A project. As superuser.';

create function tests.as_superuser()
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform set_config('role', 'none', true);
    perform set_config(s.name, '', true)
    from unnest(array[
        'app.user_id', 'app.api_key_id', 'app.tenant_id', 'app.role', 'app.request_id', 'app.seal'
    ]) as s (name);
    return '# as superuser';
end
$$;
comment on function tests.as_superuser() is 'Back behind the stage: every row is visible again.';

create function tests.as_nobody()
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform tests.as_superuser();
    perform set_config('role', 'saas_api', true);
    return '# as nobody';
end
$$;
comment on function tests.as_nobody() is 'Becomes the role of the API, without a context.';

create function tests.as(p_actor text, p_organisation text default 'Acme')
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform tests.as_nobody();
    if p_actor = 'stranger' then
        perform gate.enter_user(tests.credential(p_actor, p_organisation), 'tests');
    else
        perform gate.enter(
            tests.credential(p_actor, p_organisation),
            'tests',
            tests.organisation(p_organisation),
            'projects.read'
        );
    end if;
    return format('# as %s of %s', p_actor, p_organisation);
end
$$;
comment on function tests.as(text, text) is
    'Becomes the role of the API in the sealed context of an actor, through the gate like anyone. A stranger enters no organisation.';

create function tests.as_forger(p_actor text, p_organisation text default 'Acme')
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform tests.as_nobody();
    perform
        set_config('app.user_id', tests.user_id(p_actor, p_organisation)::text, true),
        set_config('app.tenant_id', tests.organisation(p_organisation)::text, true),
        set_config('app.role', p_actor, true),
        set_config('app.seal', repeat('0', 64), true);
    return format('# as a forger of %s of %s', p_actor, p_organisation);
end
$$;
comment on function tests.as_forger(text, text) is
    'Becomes the role of the API with the settings of an actor written by hand, under a made-up seal.';

create function tests.may_not_delete_or_stop(p_who text, p_table text)
returns setof text
language plpgsql
as $$
begin
    return next throws_ok(
        format('delete from %s', p_table), '42501', null,
        format('%s may not delete from %s', p_who, p_table)
    );
    return next throws_ok(
        format('truncate %s cascade', p_table), '42501', null,
        format('%s may not truncate %s', p_who, p_table)
    );
    return next throws_ok(
        format('lock table %s in row exclusive mode', p_table), '42501', null,
        format('%s may not hold up the migrations of %s', p_who, p_table)
    );
    return next throws_ok(
        format('lock table %s in access exclusive mode', p_table), '42501', null,
        format('%s may not stop every tenant by a lock on %s', p_who, p_table)
    );
end
$$;
comment on function tests.may_not_delete_or_stop(text, text) is
    'Four tests: what no role of the API may do to a whole table, whoever it speaks for.';

create function tests.may_not_touch(p_who text, p_table text, p_column text)
returns setof text
language plpgsql
as $$
begin
    return next throws_ok(
        format('select from %s', p_table), '42501', null,
        format('%s may not read %s', p_who, p_table)
    );
    return next throws_ok(
        format('insert into %s default values', p_table), '42501', null,
        format('%s may not add to %s', p_who, p_table)
    );
    return next throws_ok(
        format('update %s set %I = default', p_table, p_column), '42501', null,
        format('%s may not change %s', p_who, p_table)
    );
    return query select tests.may_not_delete_or_stop(p_who, p_table);
end
$$;
comment on function tests.may_not_touch(text, text, text) is
    'Seven tests: a table that is none of this actor''s business.';

create function tests.answer(
    p_call text,
    p_credential bytea,
    p_organisation_id uuid default tests.organisation()
)
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_constraint text;
begin
    execute p_call using p_credential, p_organisation_id;
    raise exception using errcode = 'SA200';
exception
    when others then
        get stacked diagnostics v_constraint = constraint_name;
        return concat_ws(' ', sqlstate, nullif(v_constraint, ''));
end
$$;
comment on function tests.answer(text, bytea, uuid) is
    'The SQLSTATE, and the constraint if one is named, of a call with $1 a credential and $2 an organisation; SA200 if it succeeds. The call is undone.';

create function tests.age(p_by interval)
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_table record;
begin
    perform tests.as_superuser();
    -- Neither timestamps nor audit take part, and no foreign key is asked.
    perform set_config('session_replication_role', 'replica', true);
    for v_table in
        select
            c.oid::regclass as name,
            string_agg(format('%1$I = %1$I - $1', a.attname), ', ') as aged
        from pg_class as c
        join tests.product_schemas as s on s.oid = c.relnamespace
        join pg_attribute as a on a.attrelid = c.oid
        where
            c.relkind in ('r', 'p')
            and not c.relispartition
            and a.atttypid = 'timestamptz'::regtype
            and a.attgenerated = ''
            and not a.attisdropped
        group by c.oid
    loop
        execute format(
            'update %s set %s where age(xmin) <= age(pg_current_xact_id()::xid)',
            v_table.name, v_table.aged
        ) using p_by;
    end loop;
    perform set_config('session_replication_role', 'origin', true);
    return format('# everything is older by %s', p_by);
end
$$;
comment on function tests.age(interval) is
    'now() stands still at the beginning of a file, and cannot be set; so this makes every row that the file has written older, in all its times. Then as superuser.';

create function tests.grants(p_relation regclass)
returns setof text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select g.grantee || ': ' || g.privilege || coalesce(' of ' || g.columns, '')
    from (
        select x.grantee::regrole::text, x.privilege_type, null
        from pg_class as c
        cross join lateral aclexplode(c.relacl) as x
        where c.oid = p_relation and x.grantee <> c.relowner
        union all
        select
            x.grantee::regrole::text, x.privilege_type,
            string_agg(a.attname, ', ' order by a.attnum)
        from pg_class as c
        join pg_attribute as a on a.attrelid = c.oid
        cross join lateral aclexplode(a.attacl) as x
        where c.oid = p_relation and x.grantee <> c.relowner
        group by x.grantee, x.privilege_type
    ) as g (grantee, privilege, columns)
    order by 1;
$$;
comment on function tests.grants(regclass) is
    'Who but the owner has which privilege on a table or a view, or on which columns of it.';

create view tests.product_schemas as
select n.oid, n.nspname
from pg_catalog.pg_namespace as n
where
    n.nspname !~ '^pg_'
    and n.nspname not in ('information_schema', 'tests')
    and not exists (
        select from pg_catalog.pg_proc as p
        where p.pronamespace = n.oid and p.proname = 'throws_ok'
    );
comment on view tests.product_schemas is
    'Every schema but those of PostgreSQL, of pgTAP and of the tests: what the invariants hold for.';

-- The actors call pgTAP and these functions themselves.
do $$
begin
    execute format(
        'grant usage on schema tests, %s to saas_api, saas_gate, saas_audit, saas_owner, saas_dba',
        (
            select p.pronamespace::regnamespace from pg_catalog.pg_proc as p
            where p.proname = 'throws_ok' limit 1
        )
    );
end
$$;
