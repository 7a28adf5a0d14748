create trigger _100_timestamps
before update on app.gizmos
for each row execute function app.touch();
comment on trigger _100_timestamps on app.gizmos is 'updated_at is when a value last changed.';

create trigger _900_audit_insert
after insert on app.gizmos
referencing new table as new_rows
for each statement execute function audit.gizmos();
comment on trigger _900_audit_insert on app.gizmos is 'Written to audit.events.';

create trigger _900_audit_update
after update on app.gizmos
referencing old table as old_rows new table as new_rows
for each statement execute function audit.gizmos();
comment on trigger _900_audit_update on app.gizmos is 'Written to audit.events.';

create trigger _900_audit_delete
after delete on app.gizmos
referencing old table as old_rows
for each statement execute function audit.gizmos();
comment on trigger _900_audit_delete on app.gizmos is 'Written to audit.events.';
