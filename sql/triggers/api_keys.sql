create trigger _500_revoke
after update of revoked_at on app.api_keys
for each row when (old.revoked_at is null and new.revoked_at is not null)
execute function gate.revoke_api_key();
comment on trigger _500_revoke on app.api_keys is 'A revoked key stops working in the same transaction.';

create trigger _500_revoke_deleted
after delete on app.api_keys
for each row execute function gate.revoke_api_key();
comment on trigger _500_revoke_deleted on app.api_keys is 'So does a key that is deleted by hand.';

create trigger _900_audit_insert
after insert on app.api_keys
referencing new table as new_rows
for each statement execute function audit.api_keys();
comment on trigger _900_audit_insert on app.api_keys is 'Written to audit.events.';

create trigger _900_audit_update
after update on app.api_keys
referencing old table as old_rows new table as new_rows
for each statement execute function audit.api_keys();
comment on trigger _900_audit_update on app.api_keys is 'Written to audit.events.';

create trigger _900_audit_delete
after delete on app.api_keys
referencing old table as old_rows
for each statement execute function audit.api_keys();
comment on trigger _900_audit_delete on app.api_keys is 'Written to audit.events.';
