-- What `saas-api migrate` remembers. Run as saas_owner by `saas-api bootstrap`, and again once yoyo
-- has made its own tables; changes nothing the second time.

create schema if not exists deploy;
comment on schema deploy is 'What saas-api migrate remembers: migrations, definitions, the schema version.';

create table if not exists deploy.migrations (
    migration_id text constraint migrations_pkey primary key,
    sha256 text not null,
    applied_at timestamptz not null default now()
);
comment on table deploy.migrations is 'The text of each migration when it was applied: an edited one is refused.';
comment on column deploy.migrations.sha256 is 'Of the file and its rollback file, in hexadecimal.';

create table if not exists deploy.definitions (
    path text constraint definitions_pkey primary key,
    sha256 text not null,
    applied_at timestamptz not null default now()
);
comment on table deploy.definitions is 'The functions, views, triggers and policies as last replayed, by file.';
comment on column deploy.definitions.sha256 is 'Of the file, in hexadecimal.';

create table if not exists deploy.schema_version (
    version text not null,
    applied_at timestamptz not null default now()
);
create unique index if not exists schema_version_one_row on deploy.schema_version ((true));
comment on table deploy.schema_version is 'One row: the version of the schema, as readiness compares it.';
comment on column deploy.schema_version.version is
    '16 hexadecimal digits of the SHA-256 over all migrations and definitions.';

-- Locked during each run of saas-api migrate, this file included: commented below, once.
create table if not exists deploy.migration_lock ();

do $$
declare
    v_table regclass;
begin
    for v_table in
        select c.oid
        from pg_catalog.pg_class as c
        where
            c.relnamespace = 'deploy'::regnamespace
            and c.relkind = 'r'
            and not (c.relrowsecurity and c.relforcerowsecurity)
    loop
        execute format('alter table %s enable row level security', v_table);
        execute format('alter table %s force row level security', v_table);
        execute format('create policy all_owner on %s for all to saas_owner using (true)', v_table);
        execute format(
            'comment on policy all_owner on %s is %L', v_table, 'Only who migrates reads and writes.'
        );
        if obj_description(v_table) is null then
            execute format(
                'comment on table %s is %L',
                v_table,
                case
                    when v_table = 'deploy.migration_lock'::regclass
                    then 'Always empty: saas-api migrate locks it, so that runs do not overlap.'
                    else 'Bookkeeping of yoyo.'
                end
            );
        end if;
    end loop;

    if not exists (
        select
        from pg_catalog.pg_policy as p
        where p.polrelid = 'deploy.schema_version'::regclass and p.polname = 'read_api'
    ) then
        create policy read_api on deploy.schema_version for select to public
        using (current_user = 'saas_api');
        comment on policy read_api on deploy.schema_version is 'Readiness compares the version.';
        grant usage on schema deploy to saas_api;
        grant select on table deploy.schema_version to saas_api;
    end if;
end
$$;
