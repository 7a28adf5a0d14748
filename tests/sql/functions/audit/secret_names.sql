-- A change with a secret-looking field name is refused, at any depth.
begin;
select plan(39);

select tests.as_superuser();
create function pg_temp.record(p_changes jsonb)
returns text
language sql
as $$
    select tests.answer(
        format(
            'insert into audit.events (organisation_id, action, actor_type, actor_database_role, target_type, changes)'
            ' values ($2, %L, %L, %L, %L, %L)',
            'project.updated', 'database_role', 'x', 'project', p_changes
        ),
        null
    );
$$;
select is(
    pg_temp.record(jsonb_build_object(n.name, 'x')), '23514 events_changes_no_secret_name',
    format('a field %s is refused', n.name)
)
from unnest(array[
    'password', 'PASSWORD', 'passwd', 'new_password', 'passphrase', 'secret', 'clientSecret', 'token',
    'access_token', 'refreshToken', 'credential', 'digest', 'hash', 'password_hash', 'salt', 'raw_key', 'rawKey',
    'private_key', 'privatekey', 'Authorization', 'set-cookie'
]) as n (name);
select is(pg_temp.record(c.changes::jsonb), '23514 events_changes_no_secret_name', format('in %s, too', c.place))
from (
    values
        ('{"name": {"old": null, "new": {"token": 1}}}', 'an object in an object'),
        ('{"name": [{"token": 1}]}', 'an object in an array'),
        ('{"name": [[1, [{"a": [{"b": {"ToKeN": null}}]}]]]}', 'an object in an array in an array in an object'),
        ('[{"token": 1}]', 'an array'),
        ('[[[{"a": {"b": [{"secret": []}]}}]]]', 'arrays of arrays'),
        ('{"a": 1, "b": {"c": 2, "d": {"e": 3, "api_secret": {}}}}', 'the last of many'),
        ('{"token": {"a": 1}}', 'the name of an object'),
        ('{"TOKEN": []}', 'the name of an array')
) as c (changes, place);
select is(pg_temp.record(c.changes::jsonb), 'SA200', format('%s is no secret', c.what))
from (
    values
        ('{}', 'nothing'),
        ('{"name": {"old": "x", "new": "y"}}', 'a name'),
        ('{"name": {"old": null, "new": "my password is token"}}', 'a value that speaks of one'),
        ('{"name": ["password", "token"]}', 'a value in an array'),
        ('{"description": {"new": "x", "old": null}, "status": {"new": "active", "old": "archived"}}', 'a description'),
        ('{"role": {"old": "owner", "new": null}}', 'a role'),
        ('{"deleted_at": {"old": null, "new": "2026-01-01"}}', 'a time')
) as c (changes, what);

-- What else an event must be.
select is(
    tests.answer(
        format(
            'insert into audit.events (organisation_id, action, actor_type, actor_user_id, actor_api_key_id, actor_database_role, target_type)'
            ' values ($2, %L, %L, %L, %L, %L, %L)',
            e.action, e.actor_type, e.user_id, e.api_key_id, null, 'project'
        ),
        null
    ),
    e.answer, e.what
)
from (
    values
        ('project.burnt', 'anonymous', null::uuid, null::uuid, '23514 events_action_known', 'an action is one of the contract''s'),
        ('project.created', 'user', null, null, '23514 events_actor_known', 'a user has an id'),
        ('project.created', 'api_key', tests.user_id('owner'), null, '23514 events_actor_known', 'an API key has an id')
) as e (action, actor_type, user_id, api_key_id, answer, what);

select * from finish();
rollback;
