-- Who may touch the key of the seal: the gate reads it.
revoke all on table auth.seal_key from public, saas_api, saas_gate, saas_audit, saas_dba;

grant select on table auth.seal_key to saas_gate;

create policy read_gate on auth.seal_key for select to saas_gate using (true);
comment on policy read_gate on auth.seal_key is 'gate.current_seal.';
