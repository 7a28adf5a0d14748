create or replace function api.schema_version()
returns text
language sql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select v.version from deploy.schema_version as v;
$$;

comment on function api.schema_version() is
    'The schema version this database is at: what saas-api migrate last brought it to.';

grant execute on function api.schema_version() to saas_api;
