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
