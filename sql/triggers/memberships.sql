create trigger _100_timestamps
before update on app.memberships
for each row execute function app.touch();
comment on trigger _100_timestamps on app.memberships is 'updated_at is when a value last changed.';

create trigger _500_last_owner
before delete on app.memberships
for each row when (old.role = 'owner')
execute function gate.keep_last_owner();
comment on trigger _500_last_owner on app.memberships is 'The last owner cannot be removed.';

create trigger _500_last_owner_role
before update of role on app.memberships
for each row when (old.role = 'owner' and new.role <> 'owner')
execute function gate.keep_last_owner();
comment on trigger _500_last_owner_role on app.memberships is 'The last owner cannot be downgraded.';

create trigger _900_audit_insert
after insert on app.memberships
referencing new table as new_rows
for each statement execute function audit.memberships();
comment on trigger _900_audit_insert on app.memberships is 'Written to audit.events.';

create trigger _900_audit_update
after update on app.memberships
referencing old table as old_rows new table as new_rows
for each statement execute function audit.memberships();
comment on trigger _900_audit_update on app.memberships is 'Written to audit.events.';

create trigger _900_audit_delete
after delete on app.memberships
referencing old table as old_rows
for each statement execute function audit.memberships();
comment on trigger _900_audit_delete on app.memberships is 'Written to audit.events.';
