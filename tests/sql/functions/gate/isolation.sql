-- An old snapshot would still show what has been revoked since: nobody enters with one.
begin isolation level repeatable read;
select plan(5);

select tests.new_tenant('Acme');

select tests.as_nobody();
select is(
    tests.answer(c.call, tests.credential(c.actor)), '25001',
    format('%s may not %s under repeatable read', c.actor, c.what)
)
from (
    values
        ('owner', 'enter', $$ select gate.enter($1, 'r', $2, 'projects.read') $$),
        ('api_key', 'enter', $$ select gate.enter($1, 'r', $2, 'projects.read') $$),
        ('stranger', 'enter', $$ select gate.enter_user($1, 'r') $$),
        ('owner', 'read the organisation', $$ select api.get_organisation($1, 'r', $2) $$),
        (
            'nobody', 'register',
            $$ select api.register('x@y', null, sha256('s'), 'm=8,t=1,p=1', 'output', 'r') $$
        )
) as c (actor, what, call);

select * from finish();
rollback;
