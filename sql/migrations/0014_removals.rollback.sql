drop index app.api_keys_created_by_user_id_idx;
drop index auth.login_slots_failed_at_idx;
drop index auth.credentials_expires_at_idx;
