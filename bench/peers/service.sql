-- For services that keep the rules in their own code: a role that sees every row, and a table of
-- passwords as argon2-cffi writes them.
grant select, insert, update, delete on all tables in schema app, audit to bench_service;

create table auth.password_hashes (
    user_id uuid primary key references app.users (user_id),
    password_hash text not null
);
grant select on auth.password_hashes to bench_service;
