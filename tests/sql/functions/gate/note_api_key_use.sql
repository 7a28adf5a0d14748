begin;
select plan(11);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');

create function pg_temp.used()
returns timestamptz
language sql
as $$ select last_used_at from app.api_key_uses where organisation_id = tests.organisation(); $$;

select is(pg_temp.used(), null, 'an API key has never been used');
select tests.as('api_key');
select tests.as_superuser();
select is(pg_temp.used(), now(), 'an API key that enters notes its use');
select is(
    (select last_used_at from app.api_key_uses where organisation_id = tests.organisation('Globex')),
    null, 'and the use of no other key'
);

-- At most once a minute.
update app.api_key_uses set last_used_at = now() - interval '59.9 seconds' where organisation_id = tests.organisation();
select tests.as('api_key');
select tests.as_superuser();
select is(
    pg_temp.used(), now() - interval '59.9 seconds', 'within a minute a use is not noted again'
);
update app.api_key_uses set last_used_at = now() - interval '60 seconds' where organisation_id = tests.organisation();
select tests.as('api_key');
select tests.as_superuser();
select is(pg_temp.used(), now(), 'after a minute it is');

-- Not by those who are refused, nor by people.
update app.api_key_uses set last_used_at = null where organisation_id = tests.organisation();
select tests.as_nobody();
select tests.answer($$ select gate.enter($1, 'r', $2, 'members.read') $$, tests.credential('api_key'));
select tests.as_superuser();
select is(pg_temp.used(), null, 'an API key that is refused notes no use');
select tests.as('owner');
select tests.as_superuser();
select is(pg_temp.used(), null, 'an owner who enters notes no use of any key');
select is(
    (
        select count(*) from audit.events
        where organisation_id = tests.organisation() and actor_type = 'api_key'
    ),
    0::bigint,
    'a use is no event of the audit'
);

select tests.as_nobody();
select throws_ok(
    'select gate.note_api_key_use(tests.organisation(), tests.user_id(''api_key''))',
    '42501', null, 'the API does not note a use by hand'
);

-- Two keys of one organisation.
select tests.as_superuser();
select tests.new_api_key('second');
update app.api_key_uses set last_used_at = now() where api_key_id = tests.user_id('api_key');
select tests.as('second');
select tests.as_superuser();
select is(
    (select last_used_at from app.api_key_uses where api_key_id = tests.user_id('second')), now(),
    'an API key notes its use although another of the organisation has just been used'
);

-- A read-only transaction: the read goes on. Last, since nothing can be written after it.
select tests.as_superuser();
select tests.as_nobody();
set transaction read only;
select lives_ok(
    $$ select api.list_projects(
        tests.credential('api_key'), 'r', tests.organisation(), 50, 0, null, null, 'name', 'asc'
    ) $$,
    'an API key reads in a read-only transaction'
);

select * from finish();
rollback;
