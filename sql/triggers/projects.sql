create trigger _100_timestamps
before update on app.projects
for each row execute function app.touch();
comment on trigger _100_timestamps on app.projects is 'updated_at is when a value last changed.';
