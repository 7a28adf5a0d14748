begin;
select plan(52);

-- One attempt: 'in', 'refused', or 'wait n' seconds.
create function pg_temp.attempt(p_email text, p_output bytea, p_session text default 'session')
returns text
language sql
as $$
    select case
        when l.retry_after is not null
            then 'wait ' || l.retry_after || coalesce(l.user_id::text, '')
        when l.user_id is not null then 'in'
        else 'refused'
    end
    from api.login(p_email, p_output, sha256(p_session::bytea), 900, 'login') as l;
$$;

select tests.as_nobody();
select api.register('ada@acme.example', null, sha256('salt'), 'm=8,t=1,p=1', 'right', 'r');
select api.register('bob@acme.example', null, sha256('salt'), 'm=8,t=1,p=1', 'right', 'r');
select tests.as_nobody();

-- A login.
select is(
    pg_temp.attempt('ADA@acme.example', 'right', 'a1'),
    'in',
    'Ada logs in, whatever the case'
);
select is(ctx.request_id(), 'login', 'Ada goes on as Ada');
select tests.as_nobody();
select is(
    api.get_me(sha256('a1'), 'r') ->> 'email', 'ada@acme.example', 'the new session is Ada''s'
);
select is(pg_temp.attempt('ada@acme.example', 'right', 'a2'), 'in', 'Ada logs in a second time');
select tests.as_nobody();
select lives_ok($$ select api.authenticate(sha256('a1')) $$, 'and the first session is still live');
select is(
    pg_temp.attempt('ada@acme.example', 'wrong', 'x'),
    'refused',
    'Ada is refused with a wrong password'
);
select throws_ok('select ctx.user_id()', 'SA401', null, 'who is refused is nobody');
select throws_ok(
    $$ select api.authenticate(sha256('x')) $$, 'SA401', null, 'who is refused has no session'
);
select is(
    pg_temp.attempt('ada@acme.example', sha256('right'), 'x'),
    'refused',
    'the digest of a password opens nothing'
);
select is(pg_temp.attempt('ada@acme.example', null, 'x'), 'refused', 'no password opens nothing');
select is(
    pg_temp.attempt('nobody@acme.example', 'right', 'x'),
    'refused',
    'an unknown email is refused'
);
select throws_ok(
    $$ select api.login('bob@acme.example', 'right', sha256('a1'), 900, 'r') $$, '23505', null,
    'Bob may not take over the session of Ada'
);
select throws_ok(
    $$ select api.login('bob@acme.example', 'right', 'short', 900, 'r') $$, '23514', null,
    'Bob may not open a session under what is no digest'
);

select tests.as_superuser();
select results_eq(
    $$
    select u.email, c.expires_at - now()
    from auth.credentials as c join app.users as u using (user_id)
    where c.digest = sha256('a2')
    $$,
    $$ values ('ada@acme.example', interval '900 seconds') $$,
    'a session lasts as long as was asked for'
);

-- Sessions that have expired are cleared away with the next login, ten at a time.
insert into auth.credentials (digest, user_id, expires_at)
select
    sha256((u.email || n)::bytea), u.user_id,
    now() - interval '1 second'
from app.users as u, generate_series(1, 12) as n
where u.email in ('ada@acme.example', 'bob@acme.example');
select tests.as_nobody();
select pg_temp.attempt('ada@acme.example', 'right', 'a3');
select tests.as_superuser();
select results_eq(
    $$
    select
        u.email, count(*) filter (where c.expires_at < now()),
        count(*) filter (where c.expires_at > now())
    from auth.credentials as c join app.users as u using (user_id)
    where u.email in ('ada@acme.example', 'bob@acme.example')
    group by u.email order by u.email
    $$,
    $$ values ('ada@acme.example', 2::bigint, 3::bigint), ('bob@acme.example', 12, 0) $$,
    'ten expired sessions of Ada are gone, and none that is live or Bob''s'
);

-- The throttle: ten failures for one email, known or not.
update auth.login_slots set failed_at = '-infinity'
where email_digest in (sha256('ada@acme.example'), sha256('nobody@acme.example'));
select tests.as_nobody();
select is(
    pg_temp.attempt('ada@acme.example', 'wrong'), 'refused',
    format('failure %s of Ada is counted', n)
)
from generate_series(1, 5) as n;
select is(
    pg_temp.attempt('ADA@Acme.Example', 'wrong'), 'refused',
    format('failure %s of Ada, in another case, is counted', n)
)
from generate_series(6, 9) as n;
select is(
    (select retry_after from api.login_challenge('ada@acme.example', 'x')), null,
    'Ada may try after nine failures'
);
select is(
    pg_temp.attempt('ada@acme.example', 'right', 'a4'),
    'in',
    'Ada logs in after nine failures'
);
select tests.as_nobody();
select is(
    pg_temp.attempt('ada@acme.example', 'wrong'),
    'refused',
    'the tenth failure of Ada is counted, a login in between or not'
);
select is(
    pg_temp.attempt('ada@acme.example', 'wrong'),
    'wait 900',
    'Ada waits 15 minutes after ten failures'
);
select is(
    pg_temp.attempt('ada@acme.example', 'right', 'x'),
    'wait 900',
    'the right password waits as well'
);
select is(
    pg_temp.attempt('aDa@acme.example', 'right', 'x'),
    'wait 900',
    'and so it does in another case'
);
select throws_ok(
    $$ select api.authenticate(sha256('x')) $$, 'SA401', null, 'who has to wait has no session'
);
select throws_ok('select ctx.user_id()', 'SA401', null, 'who has to wait is nobody');
select is(
    (select retry_after from api.login_challenge('ADA@acme.example', 'x')), 900,
    'Ada is told so before the password is hashed, too'
);
select is(pg_temp.attempt('bob@acme.example', 'right', 'b1'), 'in', 'Bob does not wait for Ada');
select lives_ok($$ select api.authenticate(sha256('a4')) $$, 'Ada''s live sessions stay live');
select tests.as_nobody();
select is(
    pg_temp.attempt('nobody@acme.example', 'wrong'),
    case when n <= 10 then 'refused' else 'wait 900' end,
    format('attempt %s of an unknown email is treated like one of a known email', n)
)
from generate_series(1, 11) as n;
select is(
    (select retry_after from api.login_challenge('nobody@acme.example', 'x')), 900,
    'an unknown email is told to wait, too'
);

-- The window.
select tests.as_superuser();
update auth.login_slots as s set failed_at = now() - interval '10 minutes'
where s.email_digest = sha256('ada@acme.example');
update auth.login_slots as s set failed_at = now() - interval '14 minutes 59.5 seconds'
where s.email_digest = sha256('ada@acme.example') and s.slot = 3;
select tests.as_nobody();
select is(
    pg_temp.attempt('ada@acme.example', 'right'), 'wait 1',
    'Ada waits for the oldest failure, in whole seconds, rounded up'
);
select tests.as_superuser();
update auth.login_slots as s set failed_at = now() - interval '15 minutes'
where s.email_digest = sha256('ada@acme.example') and s.slot = 3;
select tests.as_nobody();
select is(
    (select retry_after from api.login_challenge('ada@acme.example', 'x')), null,
    'Ada may try again once the oldest failure is 15 minutes old'
);
select is(pg_temp.attempt('ada@acme.example', 'wrong'), 'refused', 'one attempt is free again');
select is(pg_temp.attempt('ada@acme.example', 'right', 'x'), 'wait 300', 'and no more than one');

select tests.as_superuser();
select is(
    (select count(*) from auth.login_slots as s where s.email_digest = sha256('ada@acme.example')),
    10::bigint,
    'Ada has ten slots and never more'
);

select * from finish();
rollback;
