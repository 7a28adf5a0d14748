-- Who may enter which room. Nothing is granted to PUBLIC anywhere.
revoke all on schema app, auth, api, audit, ctx, dba, gate
from public, saas_api, saas_gate, saas_audit, saas_dba;

grant usage on schema api, app, audit, ctx, dba, gate to saas_api;
grant usage on schema app, audit, auth, ctx, gate to saas_gate;
grant create on schema gate to saas_gate;
grant usage on schema audit, ctx, gate to saas_audit;
grant create on schema audit to saas_audit;
grant usage on schema app, audit, dba, gate to saas_dba;

-- Not granted, on purpose: auth to saas_api (secrets), any table to saas_dba (it looks through
-- somebody's eyes, which is audited; USAGE is for the names alone), create to anyone else (no
-- lookalikes).

-- In the other files of this folder a policy for the API's role is TO PUBLIC, on the condition that
-- current_user = 'saas_api'. DROP OWNED BY saas_api, which that role may always say, would drop a
-- policy that is for it alone.
-- Who reads is asked in (select ...): current_user looks into the catalogue, at every row without.
