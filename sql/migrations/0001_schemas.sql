-- The rooms of the database, and nobody in them yet: who may enter is policies/schemas.sql.

create schema app;
comment on schema app is 'Tenant data: every table is keyed by organisation_id first and isolated by row-level security.';

create schema auth;
comment on schema auth is 'Secrets: passwords, live credentials, the key of the seal. Only saas_gate may read it.';

create schema api;
comment on schema api is 'What HTTP calls: one function an endpoint, one statement a request.';

create schema ctx;
comment on schema ctx is 'What policies ask: who is this, in which tenant, and what may they do? Checks the seal.';

create schema gate;
comment on schema gate is 'The few security definer functions: they check credentials, set and seal the context.';

-- A new function is nobody's until its file grants it.
alter default privileges revoke execute on functions from public;
grant create, usage on schema gate to saas_gate;

set local role saas_gate;
alter default privileges revoke execute on functions from public;

set local role saas_owner;
