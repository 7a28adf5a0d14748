begin;
select plan(6);

-- What a database in use has of them.
delete from auth.credentials where expires_at < now();

select tests.new_tenant('Acme');
insert into auth.credentials (digest, user_id, expires_at)
select sha256(a.actor::bytea), tests.user_id(a.actor), now() - a.ago
from (
    values
        ('owner', interval '1 second'), ('admin', interval '3 seconds'), ('viewer', interval '0')
) as a (actor, ago);
update auth.credentials set expires_at = now() - interval '2 seconds'
where digest = tests.credential('member');

select tests.as('owner');
select throws_ok(
    'select auth.remove_expired_sessions(1)', '42501', null, 'an owner may not remove sessions'
);
select tests.as_superuser();
set local role saas_owner;
select results_eq(
    'select auth.remove_expired_sessions(2)',
    array[tests.user_id('admin'), tests.user_id('member')],
    'who maintains removes as many as they ask for, the oldest first'
);
select results_eq(
    'select auth.remove_expired_sessions(2)', array[tests.user_id('owner')], 'and then the rest'
);
select is_empty('select auth.remove_expired_sessions(2)', 'and no session that lives');
select tests.as_superuser();
select results_eq(
    $$
    select c.user_id, count(*)::integer
    from auth.credentials as c
    where c.user_id in (tests.user_id('owner'), tests.user_id('member'), tests.user_id('viewer'))
    group by 1
    order by 1
    $$,
    $$
    select u.user_id, u.sessions
    from (values (tests.user_id('owner'), 1), (tests.user_id('viewer'), 2)) as u (user_id, sessions)
    order by 1
    $$,
    'one that ends now lives, too'
);
select is(
    (select count(*)::integer from auth.credentials where api_key_id = tests.user_id('api_key')),
    1,
    'and an API key, which does not expire'
);

select * from finish();
rollback;
