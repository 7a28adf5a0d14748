drop index auth.credentials_api_key_id_idx;
drop table app.api_keys;
