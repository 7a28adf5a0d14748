"""Standing in the way: what the attacker holds must not make another tenant wait, or stop."""

import time
from dataclasses import dataclass

import pytest

from tests.break_in.attempts import ENTER, Attempt, attempt, make
from tests.break_in.stage import Stage

AT_ONCE = "800ms"
VICTIMS_CALLS = (
    "select api.authenticate(%(vera)s)",
    "select api.get_me(%(vera)s, 'r')",
    "select api.list_organisations(%(vera)s, 'r', 50, 0)",
    "select api.get_organisation(%(vera)s, 'r', %(victim)s)",
    "select api.update_organisation(%(vera)s, 'r', %(victim)s, '{\"name\": \"x\"}')",
    "select api.list_members(%(vera)s, 'r', %(victim)s, 50, 0)",
    "select api.add_member(%(vera)s, 'r', %(victim)s, null, %(mallory_id)s, 'member')",
    "select api.update_member(%(vera)s, 'r', %(victim)s, %(mallory_id)s, 'viewer')",
    "select api.remove_member(%(vera)s, 'r', %(victim)s, %(mallory_id)s)",
    "select api.create_project(%(victim_key)s, 'r', %(victim)s, 'x', null, 'active', null, null)",
    "select api.update_project(%(vera)s, 'r', %(victim)s, %(victim_project)s, '{\"name\": \"x\"}')",
    "select api.list_projects(%(vera)s, 'r', %(victim)s, 50, 0, null, null, 'name', 'asc')",
    "select api.delete_project(%(vera)s, 'r', %(victim)s, %(victim_project)s)",
    "select * from api.login(%(vera_email)s, 'vera', sha256('new'), 60, 'r')",
    "select api.create_organisation(%(vera)s, 'r', 'x', null, null)",
    "select api.register('v2@victim.example', null, %(salt)s, 'm=8,t=1,p=1', 'x', 'r')",
)

LOCKS = [
    *(
        attempt(
            f"{table} is not locked in {mode} mode",
            "begin",
            f"lock table {table} in {mode} mode",
            refused="42501",
        )
        for table in ("app.projects", "app.organisations", "app.memberships", "app.users")
        for mode in (
            "row share",
            "row exclusive",
            "share update exclusive",
            "share",
            "share row exclusive",
            "exclusive",
            "access exclusive",
        )
        if not (mode == "row share" or mode == "row exclusive")
    ),
    *(
        attempt(f"{relation} is not locked", "begin", f"lock table {relation}", refused="42501")
        for relation in (
            "api.projects",
            "api.members",
            "auth.credentials",
            "auth.login_slots",
            "deploy.migration_lock",
            "pg_catalog.pg_class",
        )
    ),
    *(
        attempt(f"no advisory lock by {call}", f"select pg_catalog.{call}", refused="42501")
        for call in (
            "pg_advisory_lock(1)",
            "pg_advisory_xact_lock(1, 2)",
            "pg_try_advisory_lock(1)",
            "pg_try_advisory_xact_lock_shared(1)",
            "pg_advisory_unlock_all()",
        )
    ),
    attempt(
        "pg_notify is not to be called", "select pg_catalog.pg_notify('c', 'x')", refused="42501"
    ),
    attempt(
        "no row of another tenant is locked",
        "begin",
        ENTER,
        "select count(*) from (select 1 from app.projects for update) as locked",
        answers=[(1,)],
    ),
    attempt(
        "no user is locked",
        "begin",
        "select gate.enter_user(%(mallory)s, 'r')",
        "select 1 from app.users for key share",
        refused="42501",
    ),
]


@pytest.mark.parametrize("attempt", LOCKS, ids=lambda one: one.name)
def test_lock_is_refused(stage: Stage, attempt: Attempt) -> None:
    stage.withstands(attempt)


@dataclass(frozen=True, slots=True)
class Hold:
    """Statements the attacker runs in a transaction that stays open."""

    name: str
    statements: tuple[str, ...]


HOLDS = [
    Hold("all rows of one's own tenant locked", (ENTER, "select 1 from app.projects for update")),
    Hold(
        "rows of one's own tenant changed",
        (ENTER, "update app.projects set name = 'x'", "update app.organisations set name = 'x'"),
    ),
    Hold(
        "the victim made a member of one's own organisation",
        (
            "select gate.enter(%(mallory)s, 'r', %(own)s, 'members.write')",
            "insert into app.memberships (organisation_id, user_id, role)"
            " values (%(own)s, %(vera_id)s, 'member')",
            "select 1 from app.memberships for update",
        ),
    ),
    Hold(
        "a login under the victim's email left open",
        ("select * from api.login(%(vera_email)s, %(output)s, sha256('s'), 60, 'r')",),
    ),
    Hold(
        "nine logins under the victim's email left open",
        tuple(
            f"select * from api.login(%(vera_email)s, %(output)s, sha256('s{number}'), 60, 'r')"
            for number in range(9)
        ),
    ),
    Hold(
        "one's own login left open",
        ("select * from api.login('mallory@attacker.example', 'mallory', sha256('s'), 60, 'r')",),
    ),
    Hold(
        "an account and an organisation not yet committed",
        (
            "select api.register('m2@attacker.example', null, %(salt)s, 'm=8,t=1,p=1', 'x', 'r')",
            "select gate.create_organisation('x')",
        ),
    ),
]


@pytest.mark.parametrize("hold", HOLDS, ids=lambda one: one.name)
def test_hold_makes_no_other_tenant_wait(stage: Stage, hold: Hold) -> None:
    with stage.connect() as attacker, stage.connect() as victim:
        held = make(attacker, ("begin", *hold.statements), stage.facts)
        assert held.sqlstate is None, held.text
        stage.assert_nothing_learnt(held.text)
        make(victim, (f"set statement_timeout = '{AT_ONCE}'", "begin"), {})
        answered = make(victim, VICTIMS_CALLS, stage.facts)
        victim.execute("rollback")
        attacker.execute("rollback")
    assert answered.sqlstate is None, answered.text
    stage.assert_unchanged()


@pytest.mark.parametrize("function", ["pg_terminate_backend", "pg_cancel_backend"])
def test_session_of_another_is_not_stopped(stage: Stage, function: str) -> None:
    with stage.connect() as attacker, stage.connect() as victim:
        shot = f"select pg_catalog.{function}({victim.info.backend_pid})"
        assert make(attacker, (shot,), {}).sqlstate == "42501"
        time.sleep(0.05)
        assert make(victim, VICTIMS_CALLS[:2], stage.facts).sqlstate is None
