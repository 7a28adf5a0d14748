create trigger _100_append_only
before update or delete or truncate on audit.events
for each statement execute function audit.refuse_change();
comment on trigger _100_append_only on audit.events is 'Append-only, for superusers too.';

create trigger _200_append_only_row
before update or delete on audit.events
for each row execute function audit.refuse_change();
comment on trigger _200_append_only_row on audit.events is 'Append-only, also by way of a partition.';
