"""The audit: written by what happened and by nothing else, changed by nobody, read by its own."""

import datetime

import pytest

from tests.break_in.attempts import ENTER, Attempt, attempt, make
from tests.break_in.stage import CANARY, Stage

MINE = ("begin", ENTER)
THIS_MONTH = datetime.datetime.now(datetime.UTC).strftime("audit.events_%Y_%m")
TABLES = ("audit.events", "audit.events_default", THIS_MONTH)
EVENT = (
    "(organisation_id, action, actor_type, actor_user_id, target_type)"
    " values (%(own)s, 'project.created', 'user', %(vera_id)s, 'project')"
)

ATTEMPTS = [
    *(
        attempt(
            f"no event is forged in {table}", *MINE, f"insert into {table} {EVENT}", refused="42501"
        )
        for table in TABLES
    ),
    *(
        attempt(
            f"no event is changed in {table}",
            *MINE,
            f"update {table} set actor_user_id = %(vera_id)s",
            refused="42501",
        )
        for table in TABLES
    ),
    *(
        attempt(f"no event is deleted from {table}", *MINE, f"delete from {table}", refused="42501")
        for table in TABLES
    ),
    *(
        attempt(f"{table} is not truncated", *MINE, f"truncate {table}", refused="42501")
        for table in TABLES
    ),
    *(
        attempt(
            f"{table} is not locked", "begin", f"lock table {table} in share mode", refused="42501"
        )
        for table in TABLES
    ),
    *(
        attempt(f"{table} is not read past its table", *MINE, f"table {table}", refused="42501")
        for table in TABLES[1:]
    ),
    *(
        attempt(f"{table} is not taken away", f"drop table {table}", refused="42501")
        for table in TABLES
    ),
    attempt(
        "no event is forged through the view",
        *MINE,
        f"insert into api.audit_events {EVENT}",
        refused="42501",
    ),
    attempt(
        "no event is changed by a merge",
        *MINE,
        "merge into audit.events as e using (values (1)) as v on true"
        " when matched then update set action = 'user.logged_in'",
        refused="42501",
    ),
    attempt(
        "no partition is detached",
        f"alter table audit.events detach partition {THIS_MONTH}",
        refused="42501",
    ),
    attempt(
        "no partition is attached",
        "alter table audit.events attach partition app.projects"
        " for values from ('2000-01-01') to ('2000-02-01')",
        refused="42501",
    ),
    *(
        attempt(f"audit.{call} is not for the API", f"select audit.{call}", refused="42501")
        for call in (
            "drop_partitions(0)",
            "prepare_partitions(100)",
            "relieve_default()",
            "add_partition('x', 'default', 'x')",
            "partitions()",
            "record_user_event('user.logged_in', %(vera_id)s, 'r')",
            "count_events(1)",
            "actor()",
        )
    ),
    *(
        attempt(
            f"the trigger {function} is not called by hand",
            *MINE,
            f"select audit.{function}()",
            refused="42501",
        )
        for function in (
            "projects",
            "memberships",
            "organisations",
            "api_keys",
            "refuse_change",
        )
    ),
    attempt("no event is read without a context", "table audit.events", refused="SA401"),
    attempt(
        "no event of another tenant is read",
        "begin",
        "select gate.enter(%(mallory)s, 'r', %(own)s, 'audit.read')",
        "select count(*) filter (where organisation_id <> %(own)s), count(*) > 0 from audit.events",
        answers=[(0, True)],
    ),
    attempt(
        "another tenant's event is not found by its id",
        "begin",
        "select gate.enter(%(mallory)s, 'r', %(own)s, 'audit.read')",
        "select * from api.audit_events where audit_event_id = %(victim_event)s",
        answers=[],
    ),
    attempt(
        "another tenant's events are not listed",
        "select api.list_audit_events("
        "%(mallory)s, 'r', %(victim)s, 50, 0, null, null, null, null, null)",
        refused="SA404",
    ),
    attempt(
        "an API key lists no events",
        "select api.list_audit_events("
        "%(own_key)s, 'r', %(own)s, 50, 0, null, null, null, null, null)",
        refused="SA403",
    ),
    attempt(
        "an API key reads no events",
        "begin",
        "select gate.enter(%(own_key)s, 'r', %(own)s, 'projects.read')",
        "select count(*) from audit.events",
        answers=[(0,)],
    ),
    attempt(
        "who has entered no organisation reads no logins",
        "begin",
        "select gate.enter_user(%(mallory)s, 'r')",
        "select count(*) from audit.events",
        answers=[(0,)],
    ),
    attempt(
        "the seal taken off after the change and before its trigger",
        *MINE,
        "update app.projects set name = 'x' returning set_config('app.seal', '', true)",
        refused="SA401",
    ),
    attempt(
        "another user written into the context before the trigger",
        *MINE,
        "update app.projects set name = 'x'"
        " returning set_config('app.user_id', %(vera_id)s::text, true)",
        refused="SA401",
    ),
    attempt(
        "another request id written into the context before the trigger",
        *MINE,
        "update app.projects set name = 'x'"
        " returning set_config('app.request_id', 'another', true)",
        refused="SA401",
    ),
    attempt(
        "a fresh account entered before the trigger, to be named instead",
        *MINE,
        "update app.projects set name = 'x' returning gate.register("
        "'scapegoat@attacker.example', null, %(salt)s, 'm=8,t=1,p=1', 'x', 'r')",
        refused="42501",
    ),
    attempt(
        "a context of no organisation entered before the trigger",
        *MINE,
        "update app.projects set name = 'x' returning gate.enter_user(%(former)s, 'r')",
        refused="42501",
    ),
    attempt(
        "an organisation founded before the trigger",
        *MINE,
        "update app.projects set name = 'x' returning gate.create_organisation('x')",
        refused="42501",
    ),
    attempt(
        "the metric's setting filled with no number stops nothing, and counts from nought",
        "begin",
        "set local app.audit_events = 'many'",
        ENTER,
        "update app.projects set name = 'x'",
        "select current_setting('app.audit_events')",
        answers=[("1",)],
    ),
    attempt(
        "nor does a number too large",
        "begin",
        "select set_config('app.audit_events', repeat('9', 30), true)",
        ENTER,
        "update app.projects set name = 'x'",
        "select current_setting('app.audit_events')",
        answers=[("1",)],
    ),
    attempt(
        "a forged metric's setting records nothing",
        "begin",
        "select gate.enter(%(mallory)s, 'r', %(own)s, 'audit.read')",
        "set local app.audit_events = '5'",
        "select count(*) from audit.events where occurred_at = now()",
        answers=[(0,)],
    ),
]


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda one: one.name)
def test_audit_holds(stage: Stage, attempt: Attempt) -> None:
    stage.withstands(attempt)


def test_change_by_hand_is_recorded_with_who_made_it(stage: Stage) -> None:
    """SQL past every function of the API writes the same row."""
    with stage.connect() as attacker:
        change = "update app.projects set name = 'x' where project_id = %(own_project)s"
        seen = make(attacker, ("begin", ENTER, change), stage.facts)
        assert seen.sqlstate is None, seen.text
        attacker.execute("select gate.enter(%(mallory)s, 'r', %(own)s, 'audit.read')", stage.facts)
        events = attacker.execute(
            "select action, actor_user_id, target_id, changes from audit.events"
            " where occurred_at = now()"
        ).fetchall()
        attacker.execute("rollback")
    facts = stage.facts
    changes = {"name": {"old": "my plan", "new": "x"}}
    assert events == [("project.updated", facts["mallory_id"], facts["own_project"], changes)]
    stage.assert_unchanged()


def test_login_that_failed_is_recorded_with_whose_account_it_was_and_no_actor(stage: Stage) -> None:
    """The attacker is anonymous: nobody has shown who they are."""
    with stage.connect() as attacker:
        login = "select * from api.login(%(vera_email)s, %(output)s, sha256('s'), 60, 'forged')"
        make(attacker, (login,), stage.facts)
    query = """
        select actor_type, actor_user_id, actor_api_key_id, target_id, request_id, changes::text
        from audit.events where action = 'user.login_failed' and request_id = 'forged'
    """
    events = stage.judge.execute(query).fetchall()
    assert events == [("anonymous", None, None, stage.facts["vera_id"], "forged", "{}")]
    assert CANARY not in str(events)
    stage.judge.execute("update auth.login_slots set failed_at = '-infinity'")
    stage.seen.update(stage.fingerprint())
