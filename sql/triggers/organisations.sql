create trigger _100_timestamps
before update on app.organisations
for each row execute function app.touch();
comment on trigger _100_timestamps on app.organisations is 'updated_at is when a value last changed.';
