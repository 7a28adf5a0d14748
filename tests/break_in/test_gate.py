"""The gate's functions called directly, with every argument one can think of."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.break_in.attempts import ENTER, Attempt, attempt, make
from tests.break_in.stage import CANARY, Stage

MINE = ("begin", ENTER)
HUGE = "repeat('x', 10000000)"


def enter(name: str, credential: str, organisation: str, permission: str, refused: str) -> Attempt:
    """One call of gate.enter that must not let anybody in."""
    return attempt(
        name,
        f"select gate.enter({credential}, 'r', {organisation}, {permission})",
        refused=refused,
    )


ENTRIES = [
    enter("no credential", "null", "%(victim)s", "'projects.read'", "SA401"),
    enter("an empty credential", "''", "%(victim)s", "'projects.read'", "SA401"),
    enter("a huge credential", f"{HUGE}::bytea", "%(victim)s", "'projects.read'", "SA401"),
    enter(
        "a prefix of a live credential",
        "substr(%(mallory)s, 1, 31)",
        "%(own)s",
        "'projects.read'",
        "SA401",
    ),
    enter(
        "the secret's digest of the digest",
        "sha256(%(mallory)s)",
        "%(own)s",
        "'projects.read'",
        "SA401",
    ),
    enter(
        "a user's id as credential",
        "uuid_send(%(vera_id)s)",
        "%(victim)s",
        "'projects.read'",
        "SA401",
    ),
    enter("an expired session", "%(vera_expired)s", "%(victim)s", "'projects.read'", "SA401"),
    enter("no organisation", "%(mallory)s", "null", "'projects.read'", "SA404"),
    enter("the nil organisation", "%(mallory)s", "%(nobody)s", "'projects.read'", "SA404"),
    enter("another's organisation", "%(mallory)s", "%(victim)s", "'projects.read'", "SA404"),
    enter("a stranger's session", "%(former)s", "%(victim)s", "'organisation.read'", "SA404"),
    enter("an API key elsewhere", "%(own_key)s", "%(victim)s", "'projects.read'", "SA404"),
    enter("an API key without an organisation", "%(own_key)s", "null", "'projects.read'", "SA404"),
    enter(
        "an API key and a member's right", "%(own_key)s", "%(own)s", "'organisation.read'", "SA403"
    ),
    enter("no permission", "%(mallory)s", "%(own)s", "null", "SA403"),
    enter("an unknown permission", "%(mallory)s", "%(own)s", "'%%'", "SA403"),
    enter("a permission in capitals", "%(mallory)s", "%(own)s", "'PROJECTS.READ'", "SA403"),
    attempt(
        "an API key is no user",
        "select gate.enter_user(%(own_key)s, 'r')",
        refused="SA403",
    ),
    attempt(
        "an API key founds no organisation",
        "begin",
        "select gate.enter(%(own_key)s, 'r', %(own)s, 'projects.write')",
        "select gate.create_organisation('x')",
        refused="SA403",
    ),
    attempt(
        "an API key does not go by the authentication of a user into another's tenant",
        "begin",
        "select gate.authenticate(%(own_key)s)",
        "select name from app.projects",
        refused="SA401",
    ),
    *(
        attempt(
            f"gate.{call} needs a context",
            f"select gate.{call}",
            refused="SA401",
        )
        for call in (
            "create_organisation('x')",
            "remove_member(%(vera_id)s)",
            "find_user(%(vera_email)s)",
            "sealed('app.tenant_id', 'projects.read')",
            "own_organisations()",
            "count_own_organisations()",
            "sealed('app.user_id')",
        )
    ),
    attempt(
        "own_organisations tells nothing of others",
        *MINE,
        "select name from gate.own_organisations()",
        answers=[("Mallory Ltd",)],
    ),
    attempt(
        "a user who may add no members finds no user",
        "begin",
        "select gate.enter_user(%(former)s, 'r')",
        "select gate.find_user(%(vera_email)s)",
        refused="SA403",
    ),
    attempt(
        "an API key finds no user",
        "begin",
        "select gate.enter(%(own_key)s, 'r', %(own)s, 'projects.write')",
        "select gate.find_user(%(vera_email)s)",
        refused="SA403",
    ),
    attempt(
        "a founded organisation is a new one, whatever settings were laid out for it",
        "set app.tenant_id = 'x'",
        "begin",
        "select set_config('app.tenant_id', %(victim)s::text, true)",
        "select gate.enter_user(%(mallory)s, 'r')",
        "select gate.create_organisation('x') <> %(victim)s",
        "select count(*) from app.organisations where organisation_id = %(victim)s",
        answers=[(0,)],
    ),
    attempt(
        "a huge request id gives no one else's context",
        "begin",
        f"select gate.enter(%(mallory)s, {HUGE}, %(own)s, 'projects.read')",
        "select count(*) from app.projects",
        answers=[(1,)],
    ),
    attempt(
        "the trigger of the last owner is not called by hand",
        "select gate.keep_last_owner()",
        refused="42501",
    ),
    *(
        attempt(
            f"api.{call} does not serve another's tenant",
            f"select api.{call}",
            refused="SA404",
        )
        for call in (
            "get_organisation(%(mallory)s, 'r', %(victim)s)",
            "update_organisation(%(mallory)s, 'r', %(victim)s, '{}')",
            "list_members(%(mallory)s, 'r', %(victim)s, 200, 0)",
            "add_member(%(mallory)s, 'r', %(victim)s, null, %(mallory_id)s, 'owner')",
            "update_member(%(mallory)s, 'r', %(victim)s, %(vera_id)s, 'viewer')",
            "remove_member(%(mallory)s, 'r', %(victim)s, %(vera_id)s)",
            "create_project(%(own_key)s, 'r', %(victim)s, 'x', null, 'active', null, null)",
            "list_projects(%(own_key)s, 'r', %(victim)s, 200, 0, null, null, 'name', 'asc')",
            "get_project(%(mallory)s, 'r', %(victim)s, %(victim_project)s)",
            "update_project(%(mallory)s, 'r', %(own)s, %(victim_project)s, '{\"name\": \"x\"}')",
            "delete_project(%(own_key)s, 'r', %(own)s, %(victim_project)s)",
        )
    ),
    attempt(
        "another's tenant is not listed by a limit of null",
        "begin",
        "select (api.list_projects(%(mallory)s, 'r', %(own)s, null, 0, null, null, 'name', 'asc')"
        " ->> 'total')::int",
        answers=[(1,)],
    ),
]

LOGINS = [
    *(
        attempt(
            f"no session is opened with {what}",
            "begin",
            f"select user_id from gate.login(%(vera_email)s, {output}, sha256('s'), 60, 'r')",
            answers=[(None,)],
        )
        for what, output in (
            ("a wrong password", "%(output)s"),
            ("no password", "null"),
            ("an empty password", "''"),
            ("the salt", "(select salt from gate.login_challenge(%(vera_email)s, ''))"),
        )
    ),
    attempt(
        "no session is opened for no email",
        "select gate.login(null, %(output)s, sha256('s'), 60, 'r')",
        refused="23502",
    ),
    attempt(
        "no session is opened by a pattern for an email",
        "begin",
        "select user_id from gate.login('%%', 'vera', sha256('s'), 60, 'r')",
        answers=[(None,)],
    ),
    attempt(
        "the session of another is not taken over by its digest",
        "begin",
        "select gate.login('mallory@attacker.example', 'mallory', %(vera)s, 60, 'r')",
        refused="23505",
    ),
    attempt(
        "no session without an end",
        "begin",
        "select gate.login('mallory@attacker.example', 'mallory', sha256('s'), null, 'r')",
        refused="23514",
    ),
    attempt(
        "a session that has ended before it began",
        "begin",
        "select gate.login('mallory@attacker.example', 'mallory', sha256('s'), -1, 'r')",
        "select gate.enter(sha256('s'), 'r', %(own)s, 'projects.read')",
        refused="SA401",
    ),
    attempt(
        "a login is no entry",
        "begin",
        "select gate.login('mallory@attacker.example', 'mallory', sha256('s'), 60, 'r')",
        "select count(*) from app.projects",
        answers=[(0,)],
    ),
    attempt(
        "an account is not opened twice to reset its password",
        "select gate.register(%(vera_email)s, null, %(salt)s, 'm=8,t=1,p=1', 'x', 'r')",
        refused="23505",
    ),
]


@pytest.mark.parametrize("attempt", ENTRIES, ids=lambda one: one.name)
def test_gate_stays_shut(stage: Stage, attempt: Attempt) -> None:
    stage.withstands(attempt)


@pytest.mark.parametrize("attempt", LOGINS, ids=lambda one: one.name)
def test_login_opens_nothing_of_anothers(stage: Stage, attempt: Attempt) -> None:
    stage.withstands(attempt)


REVOCATIONS = [
    ("SA404", "delete from app.memberships where user_id = %(former_id)s"),
    (
        "SA404",
        "update app.memberships set organisation_id = %(own)s where user_id = %(former_id)s",
    ),
    ("SA401", "delete from auth.credentials where digest = %(former)s"),
    ("SA401", "update auth.credentials set expires_at = now() where digest = %(former)s"),
]


@contextlib.contextmanager
def former_member(stage: Stage) -> Iterator[None]:
    """The former member is a viewer of the victim's; in the end all is as it was, the audit too."""
    stage.judge.execute("set session_replication_role = replica")
    columns = "digest, user_id, created_at, expires_at"
    session = stage.judge.execute(
        f"select {columns} from auth.credentials where digest = %(former)s", stage.facts
    ).fetchone()
    assert session is not None
    stage.judge.execute(
        "insert into app.memberships (organisation_id, user_id, role)"
        " values (%(victim)s, %(former_id)s, 'viewer')",
        stage.facts,
    )
    yield
    stage.judge.execute("delete from app.memberships where user_id = %(former_id)s", stage.facts)
    stage.judge.execute("delete from auth.credentials where digest = %(former)s", stage.facts)
    stage.judge.execute(
        f"insert into auth.credentials ({columns}) values (%s, %s, %s, %s)", session
    )
    stage.judge.execute("reset session_replication_role")


@pytest.mark.parametrize(
    ("refused", "revocation"),
    REVOCATIONS,
    ids=["membership removed", "membership elsewhere", "session revoked", "session expired"],
)
def test_right_that_has_ended_ends_with_the_transaction(
    stage: Stage, refused: str, revocation: str
) -> None:
    """The connection and its prepared statements are as they were; the right is not."""
    entry = "execute entry (%(former)s, %(victim)s)"
    prepared = (
        "prepare entry (bytea, uuid) as select gate.enter($1, 'r', $2, 'projects.read')",
        "prepare read as select name from app.projects limit 1",
    )
    with former_member(stage), stage.connect() as attacker:
        allowed = make(attacker, (*prepared, "begin", entry, "execute read", "commit"), stage.facts)
        stage.judge.execute(revocation, stage.facts)
        seen = make(attacker, ("begin", entry), stage.facts)
        read_again = make(attacker, ("rollback", "execute read"), stage.facts)
    assert CANARY in allowed.text
    assert seen.sqlstate == refused
    assert read_again.sqlstate == "SA401"
    stage.assert_unchanged()
