drop index auth.credentials_api_key_id_key;
drop table app.api_key_uses;
drop table app.api_keys;
