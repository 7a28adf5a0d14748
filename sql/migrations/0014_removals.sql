-- What `saas-api maintain` clears away is found by its time, the oldest first, and the keys that a
-- user has made by their maker, since a foreign key asks for them when the user is removed.
-- squawk-ignore-file require-concurrent-index-creation
create index credentials_expires_at_idx on auth.credentials (expires_at)
where expires_at is not null;
create index login_slots_failed_at_idx on auth.login_slots (failed_at)
where failed_at > '-infinity';
create index api_keys_created_by_user_id_idx on app.api_keys (created_by_user_id);
