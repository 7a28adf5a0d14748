begin;
select plan(4);

-- What a database in use has of them.
delete from auth.login_slots where failed_at > '-infinity';

select tests.new_tenant('Acme');
insert into auth.login_slots (email_digest, slot, failed_at)
select sha256('x'), s.slot, s.failed_at
from (
    values
        (1, '-infinity'), (2, now()), (3, now() - interval '1 day'),
        (4, now() - interval '1 day 1 second'), (5, now() - interval '1 day 2 seconds')
) as s (slot, failed_at);

select tests.as('owner');
select throws_ok(
    'select auth.remove_past_failures(1)', '42501', null, 'an owner may not remove failures'
);
select tests.as_superuser();
set local role saas_owner;
select results_eq(
    'select auth.remove_past_failures(1)', array[now() - interval '1 day 2 seconds'],
    'who maintains removes as many as they ask for, the oldest first'
);
select results_eq(
    'select auth.remove_past_failures(9)', array[now() - interval '1 day 1 second'],
    'and then what is older than a day'
);
select tests.as_superuser();
select results_eq(
    $$ select s.slot::integer from auth.login_slots as s where s.email_digest = sha256('x') order by 1 $$,
    array[1, 2, 3],
    'a slot that has not failed stays, and a failure of the last day'
);

select * from finish();
rollback;
