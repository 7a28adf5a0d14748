-- The rules that hold for everyone, a superuser too. Those of what an API call may say are tested
-- with the call; these are the rest.
begin;
select plan(32);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
select tests.new_project('Apollo');
insert into app.users (email) values ('no.password@acme.example');

select is(tests.answer(c.call, sha256('new')), c.answer, c.what)
from (
    values
        -- auth.credentials
        (
            $$ insert into auth.credentials (digest, user_id, expires_at)
            values ($1, tests.user_id('owner'), now()) $$,
            'SA200', 'a session is of a user'
        ),
        (
            $$
            insert into auth.credentials (digest, user_id)
            values ($1, tests.user_id('owner'))
            $$,
            '23514 credentials_session_or_api_key', 'a session expires'
        ),
        (
            $$ insert into auth.credentials (digest, user_id, expires_at, organisation_id)
            values ($1, tests.user_id('owner'), now(), $2) $$,
            '23514 credentials_session_or_api_key', 'a session is of no organisation'
        ),
        (
            $$ insert into auth.credentials (digest, user_id, expires_at, api_key_id)
            values ($1, tests.user_id('owner'), now(), $2) $$,
            '23514 credentials_session_or_api_key', 'a session is no API key'
        ),
        (
            $$ insert into auth.credentials (digest, organisation_id, api_key_id)
            values ($1, $2, $2) $$,
            'SA200', 'an API key is of an organisation'
        ),
        (
            $$ insert into auth.credentials (digest, api_key_id) values ($1, $2) $$,
            '23514 credentials_session_or_api_key', 'an API key is of some organisation'
        ),
        (
            $$ insert into auth.credentials (digest, organisation_id) values ($1, $2) $$,
            '23514 credentials_session_or_api_key', 'an API key has an id'
        ),
        (
            $$ insert into auth.credentials (digest) values ($1) $$,
            '23514 credentials_session_or_api_key', 'a credential is somebody''s'
        ),
        (
            $$ insert into auth.credentials (digest, user_id, expires_at)
            values (substr($1, 2), tests.user_id('owner'), now()) $$,
            '23514 credentials_digest_is_sha256', 'a credential is a digest'
        ),
        (
            $$ insert into auth.credentials (digest, user_id, expires_at)
            values (tests.credential('owner'), tests.user_id('owner'), now()) $$,
            '23505 credentials_pkey', 'a credential is one person''s'
        ),
        (
            $$ insert into auth.credentials (digest, user_id, expires_at)
            values ($1, tests.user_id('nobody'), now()) $$,
            '23503 credentials_user_id_fkey', 'a session is of a user who is there'
        ),
        -- auth.passwords
        (
            $$ insert into auth.passwords (user_id, email_digest, salt, parameters, digest)
            values (tests.user_id('owner'), $1, $1, 'm=8,t=1,p=1', $1) $$,
            '23505 passwords_pkey', 'a user has one password'
        ),
        (
            $$ insert into auth.passwords (user_id, email_digest, salt, parameters, digest)
            values (tests.user_id('nobody'), $1, $1, 'm=8,t=1,p=1', $1) $$,
            '23503 passwords_user_id_fkey', 'a password is of a user who is there'
        ),
        (
            $$ insert into auth.passwords (user_id, email_digest, salt, parameters, digest)
            values (tests.user_id('admin'), $1, $1, 'm=8,t=1,p=1', substr($1, 2)) $$,
            '23514 passwords_digest_is_sha256', 'a password is a digest'
        ),
        (
            $$ insert into auth.passwords (user_id, email_digest, salt, parameters, digest)
            values (tests.user_id('admin'), $1, substr($1, 1, 15), 'm=8,t=1,p=1', $1) $$,
            '23514 passwords_salt_length', 'a salt has 16 bytes or more'
        ),
        (
            $$ insert into auth.passwords (user_id, email_digest, salt, parameters, digest)
            values (tests.user_id('admin'), $1, $1, 'm=8,t=1,p=1 or so', $1) $$,
            '23514 passwords_parameters_bounded', 'a cost is a cost and nothing after it'
        ),
        -- auth.login_slots
        (
            'insert into auth.login_slots (email_digest, slot) values ($1, 0)',
            '23514 login_slots_ten', 'the first login slot is 1'
        ),
        (
            'insert into auth.login_slots (email_digest, slot) values ($1, 11)',
            '23514 login_slots_ten', 'the last login slot is 10'
        ),
        (
            'insert into auth.login_slots (email_digest, slot) values ($1, 1), ($1, 1)',
            '23505 login_slots_pkey', 'a login slot is there once'
        ),
        -- app
        (
            $$ insert into app.users (user_id, email) values (tests.user_id('owner'), 'x@y') $$,
            '23505 users_pkey', 'a user is there once'
        ),
        (
            $$ insert into app.users (email) values ('OWNER@acme.example') $$,
            '23505 users_email_key', 'an email is one user''s, whatever its case'
        ),
        (
            $$ insert into app.organisations (organisation_id, name) values ($2, 'x') $$,
            '23505 organisations_pkey', 'an organisation is there once'
        ),
        (
            $$ insert into app.memberships (organisation_id, user_id, role)
            values ($2, tests.user_id('owner'), 'viewer') $$,
            '23505 memberships_pkey', 'a user is a member once'
        ),
        (
            $$ insert into app.memberships (organisation_id, user_id, role)
            values (tests.organisation('None'), tests.user_id('owner'), 'viewer') $$,
            '23503 memberships_organisation_id_fkey', 'a member is of an organisation that is there'
        ),
        (
            $$ insert into app.memberships (organisation_id, user_id, role)
            values ($2, tests.user_id('nobody'), 'viewer') $$,
            '23503 memberships_user_id_fkey', 'a member is a user who is there'
        ),
        (
            $$ insert into app.projects (organisation_id, project_id, name)
            values ($2, tests.project('Apollo'), 'x') $$,
            '23505 projects_pkey', 'a project is there once'
        ),
        (
            $$ insert into app.projects (organisation_id, project_id, name)
            values (tests.organisation('Globex'), tests.project('Apollo'), 'x') $$,
            'SA200',
            'an id that is taken in one organisation is free in another: nobody learns of it'
        ),
        (
            $$ insert into app.projects (organisation_id, name)
            values (tests.organisation('None'), 'x') $$,
            '23503 projects_organisation_id_fkey', 'a project is of an organisation that is there'
        ),
        -- API keys
        (
            $$ insert into app.api_keys (organisation_id, name, prefix, created_by_user_id)
            values (tests.organisation('None'), 'x', 'saas_12345678', tests.user_id('owner')) $$,
            '23503 api_keys_organisation_id_fkey', 'an API key is of an organisation that is there'
        ),
        (
            $$ insert into app.api_key_uses (organisation_id, api_key_id) values ($2, $2) $$,
            '23503 api_key_uses_api_key_id_fkey', 'a use is of an API key that is there'
        ),
        (
            $$ insert into auth.passwords (user_id, email_digest, salt, parameters, digest)
            select (
                select u.user_id from app.users as u
                where not exists (select from auth.passwords as q where q.user_id = u.user_id)
            ), p.email_digest, p.salt, p.parameters, p.digest
            from auth.passwords as p limit 1 $$,
            '23505 passwords_email_digest_key', 'an email has one password'
        )
) as c (call, answer, what);

-- What goes with what.
delete from app.users where user_id = tests.user_id('viewer');
select is_empty(
    $$
    select from app.memberships where user_id = tests.user_id('viewer')
    union all
    select from auth.credentials where user_id = tests.user_id('viewer')
    $$,
    'with a user go the memberships and the sessions'
);

select * from finish();
rollback;
