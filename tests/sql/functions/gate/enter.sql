begin;
select plan(57);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
insert into app.memberships (organisation_id, user_id, role)
values (tests.organisation('Globex'), tests.user_id('owner'), 'viewer');

create function pg_temp.context()
returns text
language sql
as $$
    select format(
        'user %s, key %s, tenant %s, role %s, request %s',
        ctx.user_id(), ctx.api_key_id(), ctx.tenant_id(), ctx.role(), ctx.request_id()
    );
$$;

-- What each actor becomes.
select tests.as_nobody();
select is(
    (select pg_temp.context() from gate.enter(
        tests.credential(a.actor), 'request ' || a.actor, tests.organisation(), 'organisation.read'
    )),
    format(
        'user %s, key , tenant %s, role %s, request request %s',
        tests.user_id(a.actor), tests.organisation(), a.actor, a.actor
    ),
    format('%s enters as who they are', a.actor)
)
from unnest(array['owner', 'admin', 'member', 'viewer']) as a (actor);
select is(
    (select pg_temp.context() from gate.enter(
        tests.credential('api_key'), null, tests.organisation(), 'projects.read'
    )),
    format(
        'user , key %s, tenant %s, role api_key, request ',
        tests.user_id('api_key'), tests.organisation()
    ),
    'an API key enters as itself'
);
select is(
    (select pg_temp.context() from gate.enter(
        tests.credential('owner'), 'r', tests.organisation('Globex'), 'projects.read'
    )),
    format(
        'user %s, key , tenant %s, role viewer, request r',
        tests.user_id('owner'), tests.organisation('Globex')
    ),
    'an owner here who is a viewer there enters there as a viewer'
);
select is(
    (select pg_temp.context() from gate.enter_user(tests.credential('owner'), 'r')),
    format('user %s, key , tenant , role , request r', tests.user_id('owner')),
    'an owner who enters no organisation has no role'
);

-- Who is refused.
select tests.as_nobody();
select is(tests.answer(c.call, c.credential), c.answer, c.what)
from (
    values
        (
            $$ select gate.enter($1, 'r', $2, 'projects.read') $$, tests.credential('stranger'),
            'SA404', 'a stranger may not enter'
        ),
        (
            $$ select gate.enter($1, 'r', null, 'projects.read') $$, tests.credential('owner'),
            'SA404', 'an owner may not enter no organisation as an owner'
        ),
        (
            $$ select gate.enter($1, 'r', null, 'projects.read') $$, tests.credential('api_key'),
            'SA404', 'an API key may not enter no organisation'
        ),
        (
            $$ select gate.enter($1, 'r', tests.organisation('Globex'), 'projects.read') $$,
            tests.credential('api_key'), 'SA404', 'an API key may not enter another organisation'
        ),
        (
            $$ select gate.enter($1, 'r', $2, 'members.read') $$, tests.credential('api_key'),
            'SA403', 'an API key may not enter for more than projects'
        ),
        (
            $$ select gate.enter($1, 'r', $2, 'made.up') $$, tests.credential('owner'),
            'SA403', 'an owner may not enter for a permission nobody has'
        ),
        (
            $$ select gate.enter($1, 'r', $2, null) $$, tests.credential('owner'),
            'SA403', 'an owner may not enter for no permission'
        ),
        (
            $$ select gate.enter_user($1, 'r') $$, tests.credential('api_key'),
            'SA403', 'an API key is no user'
        ),
        (
            $$ select gate.enter_user($1, 'r') $$, tests.credential('nobody'),
            'SA401', 'nobody is no user'
        )
) as c (call, credential, answer, what);
select throws_ok(
    'select ctx.tenant_id()', 'SA401', null, 'who was refused has no context'
);

-- The next to enter leaves nothing of the one before.
select tests.as('owner');
select tests.answer(
    $$ select gate.enter($1, 'r', $2, 'projects.read') $$, tests.credential('stranger')
);
select is(
    ctx.user_id(),
    tests.user_id('owner'),
    'an owner stays who they are when a stranger is refused'
);
select gate.enter(
    tests.credential('api_key', 'Globex'),
    'r',
    tests.organisation('Globex'),
    'projects.read'
);
select is(
    pg_temp.context(),
    format(
        'user , key %s, tenant %s, role api_key, request r',
        tests.user_id('api_key', 'Globex'), tests.organisation('Globex')
    ),
    'an API key that enters after an owner has nothing of the owner''s'
);

-- Each of the roles may do what the relation says and no more.
select is(
    tests.answer(
        format('select gate.enter($1, %L, $2, %L)', 'r', p.permission),
        tests.credential(a.actor)
    ),
    case when p.permission = any (a.permissions) then 'SA200' else 'SA403' end,
    format(
        '%s %s enter for %s',
        a.actor,
        case when p.permission = any (a.permissions) then 'may' else 'may not' end,
        p.permission
    )
)
from (
    values
        (
            'owner',
            '{organisation.read, organisation.update, members.read, members.write, owners.write,
            projects.read, projects.write}'::text[]
        ),
        (
            'admin',
            '{organisation.read, organisation.update, members.read, members.write,
            projects.read, projects.write}'
        ),
        ('member', '{organisation.read, projects.read, projects.write}'),
        ('viewer', '{organisation.read, projects.read}'),
        ('api_key', '{projects.read, projects.write}')
) as a (actor, permissions),
    unnest(array[
        'organisation.read', 'organisation.update', 'members.read', 'members.write',
        'owners.write', 'projects.read', 'projects.write'
    ]) as p (permission);

-- Revoked at once.
select tests.as_superuser();
delete from auth.credentials where digest = tests.credential('admin');
delete from app.memberships where user_id = tests.user_id('viewer');
update app.memberships set role = 'viewer' where user_id = tests.user_id('member');
select tests.as_nobody();
select is(
    tests.answer($$ select gate.enter($1, 'r', $2, 'projects.write') $$, tests.credential(a.actor)),
    a.answer, a.what
)
from (
    values
        ('admin', 'SA401', 'an admin whose session is deleted is nobody'),
        ('viewer', 'SA404', 'a viewer who has lost the membership is a stranger'),
        ('member', 'SA403', 'a member who was made a viewer writes no more')
) as a (actor, answer, what);

select * from finish();
rollback;
