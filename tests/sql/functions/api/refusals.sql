-- Who may call what: every function of schema api that takes a credential, as every actor, and the
-- order in which it refuses: 401, 404 for the organisation, 403 for the role, 404 for the rest.
begin;
select plan(513);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
select tests.new_project('Apollo', 'Acme');
select tests.new_user('second_owner');
insert into app.memberships (organisation_id, user_id, role)
values (tests.organisation(), tests.user_id('second_owner'), 'owner');
insert into auth.credentials (digest, user_id, expires_at)
values (sha256('expired session'), tests.user_id('owner'), now() - interval '1 second');
insert into auth.credentials (digest, organisation_id, api_key_id, expires_at)
values (
    sha256('expired key'), tests.organisation(), tests.user_id('old key'),
    now() - interval '1 second'
);

create temporary table scene (what text, who text[], permission text, call text);
insert into scene (what, who, permission, call)
values
    (
        'see who they are', '{owner, admin, member, viewer, stranger}',
        null,
        $$ select api.get_me($1, 'r') $$
    ),
    (
        'list their organisations', '{owner, admin, member, viewer, stranger}',
        null,
        $$ select api.list_organisations($1, 'r', 50, 0) $$
    ),
    (
        'found an organisation', '{owner, admin, member, viewer, stranger}',
        null,
        $$ select api.create_organisation($1, 'r', 'New', null, null) $$
    ),
    (
        'read the organisation', '{owner, admin, member, viewer}',
        'organisation.read',
        $$ select api.get_organisation($1, 'r', $2) $$
    ),
    (
        'rename the organisation', '{owner, admin}',
        'organisation.update',
        $$ select api.update_organisation($1, 'r', $2, '{"name": "x"}') $$
    ),
    (
        'list the members', '{owner, admin}',
        'members.read',
        $$ select api.list_members($1, 'r', $2, 50, 0) $$
    ),
    (
        'add a member by email', '{owner, admin}',
        'members.write',
        $$ select api.add_member($1, 'r', $2, tests.email('stranger'), null, 'admin') $$
    ),
    (
        'add a member by id', '{owner, admin}',
        'members.write',
        $$ select api.add_member($1, 'r', $2, null, tests.user_id('stranger'), 'viewer') $$
    ),
    (
        'add an owner', '{owner}',
        'members.write',
        $$ select api.add_member($1, 'r', $2, tests.email('stranger'), null, 'owner') $$
    ),
    (
        'change a role', '{owner, admin}',
        'members.write',
        $$ select api.update_member($1, 'r', $2, tests.user_id('viewer'), 'admin') $$
    ),
    (
        'make an owner', '{owner}',
        'members.write',
        $$ select api.update_member($1, 'r', $2, tests.user_id('viewer'), 'owner') $$
    ),
    (
        'downgrade an owner', '{owner}',
        'members.write',
        $$ select api.update_member($1, 'r', $2, tests.user_id('second_owner'), 'admin') $$
    ),
    (
        'remove a viewer', '{owner, admin, viewer}',
        'organisation.read',
        $$ select api.remove_member($1, 'r', $2, tests.user_id('viewer')) $$
    ),
    (
        'remove a member', '{owner, admin, member}',
        'organisation.read',
        $$ select api.remove_member($1, 'r', $2, tests.user_id('member')) $$
    ),
    (
        'remove an admin', '{owner, admin}',
        'organisation.read',
        $$ select api.remove_member($1, 'r', $2, tests.user_id('admin')) $$
    ),
    (
        'remove an owner', '{owner}',
        'organisation.read',
        $$ select api.remove_member($1, 'r', $2, tests.user_id('second_owner')) $$
    ),
    (
        'create a project', '{owner, admin, member, api_key}',
        'projects.write',
        $$ select api.create_project($1, 'r', $2, 'x', null, 'active', null, null) $$
    ),
    (
        'list the projects', '{owner, admin, member, viewer, api_key}',
        'projects.read',
        $$ select api.list_projects($1, 'r', $2, 50, 0, null, null, 'created_at', 'desc') $$
    ),
    (
        'read a project', '{owner, admin, member, viewer, api_key}',
        'projects.read',
        $$ select api.get_project($1, 'r', $2, tests.project('Apollo')) $$
    ),
    (
        'change a project', '{owner, admin, member, api_key}',
        'projects.write',
        $$ select api.update_project($1, 'r', $2, tests.project('Apollo'), '{"name": "x"}') $$
    ),
    (
        'delete a project', '{owner, admin, member, api_key}',
        'projects.write',
        $$ select api.delete_project($1, 'r', $2, tests.project('Apollo')) $$
    ),
    (
        'create an API key', '{owner, admin}',
        'api_keys.write',
        $$ select api.create_api_key($1, 'r', $2, 'x', 'saas_00000000', sha256('x'), null, null) $$
    ),
    (
        'list the API keys', '{owner, admin}',
        'api_keys.read',
        $$ select api.list_api_keys($1, 'r', $2, 50, 0) $$
    ),
    (
        'revoke an API key', '{owner, admin}',
        'api_keys.write',
        $$ select api.revoke_api_key($1, 'r', $2, tests.user_id('api_key')) $$
    ),
    (
        'list the audit events', '{owner, admin}',
        'audit.read',
        $$ select api.list_audit_events($1, 'r', $2, 50, 0, null, null, null, null, null) $$
    );
grant select on table scene to saas_api;

-- The same calls for something that is not there.
create temporary table missing (what text, who text[], call text);
insert into missing (what, who, call)
values
    (
        'add a member by an email nobody has', '{owner, admin}',
        $$ select api.add_member($1, 'r', $2, 'nobody@nowhere.example', null, 'viewer') $$
    ),
    (
        'add a member by an id nobody has', '{owner, admin}',
        $$ select api.add_member($1, 'r', $2, null, tests.user_id('nobody'), 'viewer') $$
    ),
    (
        'add an owner by an email nobody has', '{owner}',
        $$ select api.add_member($1, 'r', $2, 'nobody@nowhere.example', null, 'owner') $$
    ),
    (
        'change the role of a member of another organisation', '{owner, admin}',
        $$ select api.update_member($1, 'r', $2, tests.user_id('viewer', 'Globex'), 'admin') $$
    ),
    (
        'make a member of another organisation an owner', '{owner}',
        $$ select api.update_member($1, 'r', $2, tests.user_id('viewer', 'Globex'), 'owner') $$
    ),
    (
        'remove a member of another organisation', '{owner, admin}',
        $$ select api.remove_member($1, 'r', $2, tests.user_id('viewer', 'Globex')) $$
    ),
    (
        'read a project that is not there', '{owner, admin, member, viewer, api_key}',
        $$ select api.get_project($1, 'r', $2, tests.project('None')) $$
    ),
    (
        'change a project that is not there', '{owner, admin, member, api_key}',
        $$ select api.update_project($1, 'r', $2, tests.project('None'), '{"name": "x"}') $$
    ),
    (
        'delete a project that is not there', '{owner, admin, member, api_key}',
        $$ select api.delete_project($1, 'r', $2, tests.project('None')) $$
    ),
    (
        'revoke an API key that is not there', '{owner, admin}',
        $$ select api.revoke_api_key($1, 'r', $2, tests.user_id('none')) $$
    ),
    (
        'revoke an API key of another organisation', '{owner, admin}',
        $$ select api.revoke_api_key($1, 'r', $2, tests.user_id('api_key', 'Globex')) $$
    );
grant select on table missing to saas_api;

select is_empty(
    $$
    select p.proname
    from pg_catalog.pg_proc as p
    where
        p.pronamespace = 'api'::regnamespace and p.proargnames[1:2] = '{p_credential, p_request_id}'
        and not exists (
            select from scene as s where strpos(s.call, 'api.' || p.proname || '(') > 0
        )
    $$,
    'no function of the API is missing in this play'
);

select tests.as_nobody();

-- The roles, and the API key.
select is(
    tests.answer(s.call, tests.credential(a.actor)),
    case when a.actor = any (s.who) then 'SA200' else 'SA403' end,
    format(
        '%s %s %s',
        a.actor,
        case when a.actor = any (s.who) then 'may' else 'may not' end,
        s.what
    )
)
from scene as s, unnest(array['owner', 'admin', 'member', 'viewer', 'api_key']) as a (actor);

-- The role is judged before what the call is about is looked for.
select is(
    tests.answer(m.call, tests.credential(a.actor)),
    case when a.actor = any (m.who) then 'SA404' else 'SA403' end,
    format(
        '%s who would %s learns %s', a.actor, m.what,
        case when a.actor = any (m.who) then 'that it is not there' else 'no more than the role' end
    )
)
from missing as m, unnest(array['owner', 'admin', 'member', 'viewer', 'api_key']) as a (actor);

-- Those who do not belong learn nothing at all, not even that the organisation is there.
select is(
    tests.answer(s.call, a.credential, o.organisation_id),
    case when 'stranger' = any (s.who) then 'SA200' else 'SA404' end,
    format('%s may not %s, %s', a.actor, s.what, o.name)
)
from scene as s,
    (
        values
            ('a stranger', tests.credential('stranger')),
            ('an owner of another organisation', tests.credential('owner', 'Globex'))
    ) as a (actor, credential),
    (
        values
            (tests.organisation(), 'in Acme'),
            (tests.organisation('None'), 'where no organisation is')
    ) as o (organisation_id, name)
where not 'stranger' = any (s.who);
select is(
    tests.answer(s.call, tests.credential('api_key', 'Globex')), 'SA404',
    format('an API key of another organisation may not %s', s.what)
)
from scene as s
where not 'stranger' = any (s.who);

-- The credential comes first of all.
select is(
    tests.answer(s.call, a.credential, o.organisation_id), 'SA401',
    format('%s may not %s, %s', a.actor, s.what, o.name)
)
from scene as s,
    (
        values
            ('a made-up credential', tests.credential('nobody')),
            ('no credential', null),
            ('an expired session', sha256('expired session')),
            ('an expired API key', sha256('expired key'))
    ) as a (actor, credential),
    (
        values
            (tests.organisation(), 'in Acme'),
            (tests.organisation('None'), 'where no organisation is')
    ) as o (organisation_id, name);

-- The permission each call asks for is its own: without it, an owner is refused at the gate.
select tests.as_superuser();
do $$
begin
    execute format(
        'create or replace function ctx.permissions() returns jsonb language sql stable parallel safe '
        'return jsonb_build_object(''owner'', %L::jsonb - current_setting(%L, true))',
        ctx.permissions() -> 'owner', 'tests.without'
    );
end
$$;
select tests.as_nobody();
select is(
    (
        select tests.answer(s.call, tests.credential('owner'))
        from set_config('tests.without', s.permission, true)
    ),
    'SA403',
    format('an owner without %s may not %s', s.permission, s.what)
)
from scene as s
where s.permission is not null;

select * from finish();
rollback;
