drop index app.api_keys_created_at_idx;
drop index app.memberships_created_at_idx;
