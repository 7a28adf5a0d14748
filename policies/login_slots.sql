-- Who may touch the login throttle: the gate. There is no tenant and no user yet when it is asked.
revoke all on table auth.login_slots from public, saas_api, saas_gate, saas_audit, saas_dba;

grant select on table auth.login_slots to saas_gate;
grant insert (email_digest, slot) on table auth.login_slots to saas_gate;
grant update (failed_at) on table auth.login_slots to saas_gate;

create policy read_gate on auth.login_slots for select to saas_gate using (true);
comment on policy read_gate on auth.login_slots is 'gate.take_login_slot, gate.login_retry_after.';

create policy insert_gate on auth.login_slots for insert to saas_gate with check (true);
comment on policy insert_gate on auth.login_slots is 'gate.register, gate.take_login_slot.';

create policy update_gate on auth.login_slots for update to saas_gate
using (true)
with check (true);
comment on policy update_gate on auth.login_slots is 'gate.take_login_slot locks one, gate.login counts a failure.';

create policy expire_owner on auth.login_slots for all to saas_owner
using (failed_at > '-infinity' and failed_at < now() - interval '1 day')
with check (false);
comment on policy expire_owner on auth.login_slots is
'saas-api maintain removes failures past their time.';
