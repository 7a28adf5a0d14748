-- Who else owns an organisation is asked of its owners, not of all its members.
-- squawk-ignore-file require-concurrent-index-creation
create index memberships_owner_idx
on app.memberships (organisation_id, user_id) where role = 'owner';
