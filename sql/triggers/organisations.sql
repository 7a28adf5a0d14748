create trigger _100_timestamps
before update on app.organisations
for each row execute function app.touch();
comment on trigger _100_timestamps on app.organisations is 'updated_at is when a value last changed.';

create trigger _900_audit_insert
after insert on app.organisations
referencing new table as new_rows
for each statement execute function audit.organisations();
comment on trigger _900_audit_insert on app.organisations is 'Written to audit.events.';

create trigger _900_audit_update
after update on app.organisations
referencing old table as old_rows new table as new_rows
for each statement execute function audit.organisations();
comment on trigger _900_audit_update on app.organisations is 'Written to audit.events.';
