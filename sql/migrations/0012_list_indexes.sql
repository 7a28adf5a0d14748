-- Lists are newest first, and an index in their order ends a page where its last row is.
-- squawk-ignore-file require-concurrent-index-creation
create index memberships_created_at_idx
on app.memberships (organisation_id, created_at, user_id);
create index api_keys_created_at_idx
on app.api_keys (organisation_id, created_at, api_key_id);
