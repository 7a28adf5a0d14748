create trigger _100_append_only
before truncate on audit.events_default
for each statement execute function audit.refuse_change();
comment on trigger _100_append_only on audit.events_default is 'Append-only, for superusers too.';
