-- Who may touch passwords: the gate, and nobody changes or deletes one.
revoke all on table auth.passwords from public, saas_api, saas_gate, saas_audit, saas_dba;

grant select on table auth.passwords to saas_gate;
grant insert (user_id, email_digest, salt, parameters, digest) on table auth.passwords to saas_gate;

create policy read_gate on auth.passwords for select to saas_gate using (true);
comment on policy read_gate on auth.passwords is 'gate.login compares, gate.login_challenge gives the salt.';

create policy insert_gate on auth.passwords for insert to saas_gate
with check (user_id = (select ctx.user_id()));
comment on policy insert_gate on auth.passwords is 'gate.register.';
