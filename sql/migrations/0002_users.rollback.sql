drop table auth.passwords;
drop table app.users;
