drop index app.memberships_owner_idx;
