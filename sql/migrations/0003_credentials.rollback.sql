drop table auth.seal_key;
drop table auth.login_slots;
drop table auth.credentials;
