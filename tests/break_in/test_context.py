"""Forged, replayed and missing contexts: the settings are anyone's to set, the seal is not."""

import pytest

from tests.break_in.attempts import ENTER, Attempt, Transcript, attempt, make
from tests.break_in.stage import Stage

READ = "select name from app.projects"
AS_VICTIM = """
    select
        set_config('app.user_id', %(vera_id)s::text, true),
        set_config('app.api_key_id', '', true),
        set_config('app.tenant_id', %(victim)s::text, true),
        set_config('app.role', 'owner', true),
        set_config('app.request_id', 'r', true)
"""
STASH = """
    select
        set_config('stash.user_id', current_setting('app.user_id'), false),
        set_config('stash.tenant_id', current_setting('app.tenant_id'), false),
        set_config('stash.role', current_setting('app.role'), false),
        set_config('stash.seal', current_setting('app.seal'), false)
"""
REPLAY = """
    select
        set_config('app.user_id', current_setting('stash.user_id'), true),
        set_config('app.api_key_id', '', true),
        set_config('app.tenant_id', current_setting('stash.tenant_id'), true),
        set_config('app.role', current_setting('stash.role'), true),
        set_config('app.request_id', 'r', true),
        set_config('app.seal', current_setting('stash.seal'), true)
"""
# What a request id must hold so that, once text is moved over into app.user_id, the message of the
# seal stays the same while the tenant reads the victim: for each way to join the settings.
SHIFTED = """
    do $$
    declare
        v_moment text := concat_ws({separator}, pg_backend_pid(), extract(epoch from now()));
        v_user_id text;
    begin
        perform gate.register(
            'shifted@attacker.example', null, %(salt)s, 'm=8,t=1,p=1', 'x',
            concat_ws({separator}, 'k', '', %(victim)s::text, 'owner', v_moment, 'z')
        );
        v_user_id := current_setting('app.user_id');
        perform set_config('app.user_id', concat_ws(
            {separator}, v_user_id, '', '', '', v_moment, 'k'
        ), true);
        perform set_config('app.api_key_id', '', true);
        perform set_config('app.tenant_id', %(victim)s::text, true);
        perform set_config('app.role', 'owner', true);
        perform set_config('app.request_id', 'z', true);
    end
    $$
"""


def changed(setting: str, value: str) -> Attempt:
    """One sealed setting changed, in a context that is otherwise the attacker's own and good."""
    return attempt(
        f"changing {setting} alone breaks the seal",
        "begin",
        ENTER,
        f"select set_config('{setting}', {value}, true)",
        READ,
        refused="SA401",
    )


ATTEMPTS = [
    attempt("no table of a tenant answers without a context", READ, refused="SA401"),
    attempt("organisations raise without a context", "table app.organisations", refused="SA401"),
    attempt("memberships raise without a context", "table app.memberships", refused="SA401"),
    attempt("users raise without a context", "table app.users", refused="SA401"),
    attempt("no view answers without a context", "table api.members", refused="SA401"),
    attempt(
        "a row of one's own tenant cannot be inserted without a context",
        "insert into app.projects (organisation_id, name) values (%(own)s, 'x')",
        refused="SA401",
    ),
    attempt("every setting set, and no seal", "begin", AS_VICTIM, READ, refused="SA401"),
    attempt(
        "every setting set, and an empty seal",
        "begin",
        AS_VICTIM,
        "set local app.seal = ''",
        READ,
        refused="SA401",
    ),
    attempt(
        "every setting set, and a seal made up",
        "begin",
        AS_VICTIM,
        "select set_config('app.seal', repeat('0', 64), true)",
        READ,
        refused="SA401",
    ),
    attempt(
        "every setting set, and sealed without the key",
        "begin",
        AS_VICTIM,
        """
        select set_config('app.seal', encode(sha256(convert_to(format(
            '%%L|%%L|%%L|%%L|%%s|%%s|%%L', %(vera_id)s, '', %(victim)s, 'owner',
            pg_backend_pid(), extract(epoch from now()), 'r'
        ), 'UTF8')), 'hex'), true)
        """,
        READ,
        refused="SA401",
    ),
    attempt(
        "the seal of one's own context on the victim's settings",
        "begin",
        ENTER,
        AS_VICTIM,
        READ,
        refused="SA401",
    ),
    changed("app.user_id", "%(vera_id)s::text"),
    changed("app.api_key_id", "%(nobody)s::text"),
    changed("app.tenant_id", "%(victim)s::text"),
    changed("app.role", "'admin'"),
    changed("app.request_id", "'another'"),
    changed("app.seal", "upper(current_setting('app.seal'))"),
    changed("app.tenant_id", "current_setting('app.tenant_id') || ' '"),
    changed("app.seal", "current_setting('app.seal') || ' '"),
    attempt(
        "a role that only differs by a space is no sealed role",
        "begin",
        ENTER,
        "set app.role to 'owner '",
        READ,
        refused="SA401",
    ),
    attempt(
        "a context set for the session is no context",
        "begin",
        ENTER,
        STASH,
        "commit",
        REPLAY.replace("true", "false"),
        READ,
        refused="SA401",
    ),
    attempt(
        "a context is not good in the next transaction",
        "begin",
        ENTER,
        STASH,
        "commit",
        "begin",
        REPLAY,
        READ,
        refused="SA401",
    ),
    attempt(
        "a context is not good after its transaction was rolled back",
        "begin",
        ENTER,
        STASH,
        "rollback",
        "begin",
        REPLAY,
        READ,
        refused="SA401",
    ),
    attempt(
        "a context does not outlive its own statement in autocommit",
        ENTER,
        READ,
        refused="SA401",
    ),
    attempt(
        "rolling back to before the entry takes the context away",
        "begin",
        "savepoint before",
        ENTER,
        "rollback to before",
        READ,
        refused="SA401",
    ),
    attempt(
        "a savepoint does not bring a broken seal back with another tenant",
        "begin",
        ENTER,
        "savepoint mine",
        AS_VICTIM,
        "release mine",
        READ,
        refused="SA401",
    ),
    attempt(
        "a tenant changed in the middle of a statement, between two of its policies",
        "begin",
        ENTER,
        """
        insert into app.projects (organisation_id, name)
        select %(victim)s, set_config('app.tenant_id', %(victim)s::text, true) from app.projects
        """,
        refused="SA401",
    ),
    attempt(
        "a context survives a subtransaction only as it was: the victim's rows stay away",
        "begin",
        ENTER,
        """
        do $$
        begin
            perform set_config('app.tenant_id', %(victim)s::text, true);
            raise exception 'back';
        exception when others then
        end
        $$
        """,
        "select count(*) from app.projects where organisation_id = %(victim)s",
        answers=[(0,)],
    ),
    attempt(
        "the reset of a sealed setting is no context",
        "begin",
        ENTER,
        "reset app.tenant_id",
        READ,
        refused="SA401",
    ),
    attempt("reset all takes the context away", "begin", ENTER, "reset all", READ, refused="SA401"),
    attempt(
        "discard all takes the context away",
        ENTER,
        "discard all",
        READ,
        refused="SA401",
    ),
    attempt(
        "settings renamed in letter case do not count twice",
        "begin",
        ENTER,
        "select set_config('APP.TENANT_ID', %(victim)s::text, true)",
        READ,
        refused="SA401",
    ),
    *(
        attempt(
            f"a {name} in the request id does not make two contexts read the same",
            "begin",
            SHIFTED.format(separator=separator),
            READ,
            refused="SA401",
        )
        for name, separator in (
            ("|", "'|'"),
            ("quoted |", "'''|'''"),
            ("comma", "','"),
            ("newline", "e'\\n'"),
        )
    ),
    attempt(
        "gate.sealed tells no setting where the seal is missing",
        "begin",
        AS_VICTIM,
        "select gate.sealed('app.tenant_id')",
        refused="SA401",
    ),
    attempt(
        "a parallel worker has no context but the leader's",
        "begin",
        ENTER,
        "set local debug_parallel_query = on",
        "set local parallel_setup_cost = 0",
        "set local parallel_tuple_cost = 0",
        "set local min_parallel_table_scan_size = 0",
        "select name from app.projects",
        answers=[("my plan",)],
    ),
    attempt(
        "a user who has entered no organisation sees no tenant's row",
        "begin",
        "select gate.enter_user(%(mallory)s, 'r')",
        "select count(*) from app.organisations",
        answers=[(0,)],
    ),
    attempt(
        "a user who has entered no organisation writes no tenant's row",
        "begin",
        "select gate.enter_user(%(mallory)s, 'r')",
        "insert into app.projects (organisation_id, name) values (%(victim)s, 'x')",
        refused="42501",
    ),
    attempt(
        "a fresh account is in no organisation",
        "begin",
        "select gate.register('new@attacker.example', null, %(salt)s, 'm=8,t=1,p=1', 'x', 'r')",
        "select gate.remove_member(%(vera_id)s)",
        answers=[(False,)],
    ),
    attempt(
        "an older snapshot is no way in: repeatable read",
        "begin isolation level repeatable read",
        ENTER,
        refused="25001",
    ),
    attempt(
        "an older snapshot is no way in: serializable",
        "begin isolation level serializable",
        ENTER,
        refused="25001",
    ),
]


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda one: one.name)
def test_context_is_refused(stage: Stage, attempt: Attempt) -> None:
    stage.withstands(attempt)


def test_context_replayed_on_another_backend_is_refused(stage: Stage) -> None:
    with stage.connect() as one, stage.connect() as other:
        make(one, ("begin", ENTER), stage.facts)
        sealed = [
            one.execute("select current_setting(%s)", [name]).fetchone()
            for name in ("app.user_id", "app.tenant_id", "app.role", "app.seal")
        ]
        user_id, tenant_id, role, seal = (row[0] for row in sealed if row)
        copy = {"user_id": user_id, "tenant_id": tenant_id, "role": role, "seal": seal}
        make(other, tuple(f"set stash.{name} = '{text}'" for name, text in copy.items()), {})
        seen = make(other, ("begin", REPLAY, READ), stage.facts)
        assert make(one, (READ,), stage.facts).rows == [("my plan",)]
    assert seen.sqlstate == "SA401"


def test_snapshot_of_before_a_revocation_does_not_revive_the_credential(stage: Stage) -> None:
    with stage.connect() as attacker:
        stage.judge.execute(
            "insert into auth.credentials (digest, user_id, expires_at)"
            " values (sha256('revoked'), %(vera_id)s, now() + interval '1 hour')",
            stage.facts,
        )
        make(attacker, ("begin isolation level repeatable read", "select 1"), {})
        stage.judge.execute("delete from auth.credentials where digest = sha256('revoked')")
        seen: Transcript = make(
            attacker,
            ("select gate.enter(sha256('revoked'), 'r', %(victim)s, 'projects.read')",),
            stage.facts,
        )
    assert seen.sqlstate == "25001"
