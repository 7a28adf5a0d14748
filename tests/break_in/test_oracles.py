"""
Oracles: asking without reading.

Each is made twice, with a guess that is true of the victim and one that is not; what the server
says (rows, errors, notices, plans, counts of rows) must be the same to the letter.
"""

from dataclasses import dataclass
from uuid import UUID

import pytest

from tests.break_in.attempts import ENTER, Transcript, make
from tests.break_in.stage import CANARY, Stage

MINE = ("begin", ENTER)
# An organisation of one's own in which there is nothing that a bound could be asked of.
EMPTY = (
    "begin",
    "select gate.enter(%(mallory)s, 'r', (body ->> 'organisation_id')::uuid, 'projects.read')"
    " from api.create_organisation(%(mallory)s, 'r', 'Empty Ltd', null, null)",
)
SLOW = (
    "set enable_seqscan = on",  # which is off for the role (ADR 0018)
    "set enable_indexscan = off",
    "set enable_indexonlyscan = off",
    "set enable_bitmapscan = off",
)
# PostgreSQL asks what is cheap first.
FREE = (("", ()), (", where nothing costs", ("set cpu_operator_cost = 0",)))
# Without costs: they follow the table's size, and an attempt lets it grow though it is rolled back.
EXPLAIN = "explain (analyze, costs off, timing off, summary off, buffers off) "
NOBODY = UUID("00000000-0000-7000-8000-000000000000")


@dataclass(frozen=True, slots=True)
class Oracle:
    """
    `statements` with `%(guess)s`: once the fact named `right` (or `right` itself, where there is
    no such fact), once `wrong`, likewise. With `refused`, both must end in this SQLSTATE.
    """

    name: str
    statements: tuple[str, ...]
    right: str
    wrong: object
    refused: str | None = None


def plan(name: str, query: str, right: str, wrong: object, *context: str) -> Oracle:
    """An oracle by EXPLAIN ANALYZE of a query that may not use an index."""
    return Oracle(name, (*SLOW, *context, EXPLAIN + query), right, wrong)


ORACLES = [
    Oracle(
        "an email range without a context",
        (*SLOW, "select 1 from app.users where email < any (array[%(guess)s])"),
        "canary-6",
        "canary-4",
        refused="SA401",
    ),
    Oracle(
        "a user's id without a context",
        (*SLOW, "select 1 from app.users where user_id = any (array[%(guess)s])"),
        "vera_id",
        NOBODY,
        refused="SA401",
    ),
    Oracle(
        "a project's name without a context",
        (*SLOW, "select 1 from app.projects where name < any (array[%(guess)s])"),
        "canary-6",
        "aaa-0",
        refused="SA401",
    ),
    Oracle(
        "an organisation's name without a context",
        (*SLOW, "select 1 from app.organisations where name < any (array[%(guess)s])"),
        "canary-6",
        "aaa-0",
        refused="SA401",
    ),
    Oracle(
        "a member's role without a context",
        (*SLOW, "select 1 from app.memberships where role < any (array[%(guess)s])"),
        "zzz",
        "aaa",
        refused="SA401",
    ),
    Oracle(
        "the order in which an error and a condition come",
        (*MINE, "select 1 / (select 0 from app.projects where name = %(guess)s)"),
        f"{CANARY} plan",
        f"{CANARY} none",
    ),
    Oracle(
        "a division by zero on a hidden row",
        (*MINE, "select 1 from app.projects where 1 / (length(name) - length(%(guess)s)) > 0"),
        f"{CANARY} plan",
        "no name of anything is as long as this",
    ),
    Oracle(
        "a cast of a hidden row's name",
        (*MINE, "select 1 from app.projects where starts_with(name, %(guess)s) and name::int = 1"),
        CANARY,
        "zzz",
    ),
    Oracle(
        "a cast of a hidden user's email",
        (*MINE, "select 1 from app.users where email = %(guess)s and display_name::int = 1"),
        "vera_email",
        "nobody@nowhere.example",
    ),
    plan(
        "whether the wall was asked, by name",
        "select 1 from app.projects where name < any (array[%(guess)s])"
        " and organisation_id = any (array[%(victim)s])",
        "canary-6",
        "aaa-0",
        *MINE,
    ),
    plan(
        "whether the wall was asked, by prefix",
        "select 1 from app.projects where starts_with(name, %(guess)s)",
        CANARY,
        "zzz",
        *MINE,
    ),
    plan(
        "whether the wall was asked, by pattern operator",
        "select 1 from app.projects where name ~<~ any (array[%(guess)s])",
        "canary-6",
        "aaa-0",
        *MINE,
    ),
    plan(
        "whether the wall was asked, by time",
        "select 1 from app.projects where created_at > any (array[%(guess)s::timestamptz])"
        " and organisation_id <> %(own)s",
        "2020-01-01",
        "2200-01-01",
        *MINE,
    ),
    plan(
        "whether the wall was asked, by email",
        "select 1 from app.users where email = any (array[%(guess)s])",
        "vera_email",
        "nobody@nowhere.example",
        *MINE,
    ),
    plan(
        "whether the wall was asked, by an organisation's name",
        "select 1 from app.organisations where name = any (array[%(guess)s])",
        f"{CANARY} Ltd",
        "None Ltd",
        *MINE,
    ),
    plan(
        "whether the wall was asked, by a range of members' ids",
        "select 1 from app.memberships"
        " where user_id <> %(mallory_id)s and user_id >= any (array[%(guess)s])",
        "nobody",
        UUID("ffffffff-ffff-ffff-ffff-ffffffffffff"),
        *MINE,
    ),
    *(
        plan(
            f"whether a row of anybody is within a list's bound, by {setting}{also}",
            "select 1 from api.listed_projects",
            right,
            wrong,
            *EMPTY,
            f"select set_config('{setting}', %(guess)s, true)",
            *costs,
        )
        for setting, right, wrong in (
            ("app.created_at_from", "2020-01-01", "2200-01-01"),
            ("app.created_at_to", "2200-01-01", "2020-01-01"),
            ("app.updated_at_from", "2020-01-01", "2200-01-01"),
            ("app.updated_at_to", "2200-01-01", "2020-01-01"),
            ("app.name_from", CANARY, "zzz"),
            ("app.name_to", "zzz", "aaa"),
        )
        for also, costs in FREE
    ),
    *(
        plan(
            f"whether an event of somebody is within a list's bound{also}",
            "select 1 from audit.events where organisation_id = any (array[%(victim)s])",
            "victim_since",
            "before_victim",
            *EMPTY,
            "select set_config('app.occurred_at_to', %(guess)s, true)",
            *costs,
        )
        for also, costs in FREE
    ),
    Oracle(
        "a project's name without a context, by a list's bound",
        (
            *SLOW,
            "select set_config('app.name_from', %(guess)s, true)",
            "select 1 from api.listed_projects",
        ),
        CANARY,
        "zzz",
        refused="SA401",
    ),
    Oracle(
        "the planner's estimate of rows by name",
        (*MINE, "explain select 1 from app.projects where name > %(guess)s"),
        f"{CANARY} 0200",
        f"{CANARY} 9999",
    ),
    Oracle(
        "the planner's estimate of rows by a common description",
        (*MINE, "explain select 1 from app.projects where description = %(guess)s"),
        f"{CANARY} text",
        f"{CANARY} none",
    ),
    Oracle(
        "the planner's estimate of rows by email",
        (*MINE, "explain select 1 from app.users where email > %(guess)s"),
        "canary-4",
        "zzz",
    ),
    Oracle(
        "an insert that a hidden row would be in the way of: on conflict do nothing",
        (
            *MINE,
            "insert into app.memberships (organisation_id, user_id, role)"
            " values (%(victim)s, %(guess)s, 'member') on conflict do nothing",
        ),
        "vera_id",
        NOBODY,
        refused="42501",
    ),
    Oracle(
        "an insert that a hidden row would be in the way of: on conflict do update",
        (
            *MINE,
            "insert into app.memberships (organisation_id, user_id, role)"
            " values (%(victim)s, %(guess)s, 'member')"
            " on conflict (organisation_id, user_id) do update set role = 'viewer'"
            " where memberships.role = 'owner' returning *",
        ),
        "vera_id",
        NOBODY,
        refused="42501",
    ),
    Oracle(
        "a merge that a hidden row would be in the way of",
        (
            *MINE,
            "merge into app.memberships as m using (values (%(victim)s, %(guess)s)) as v (o, u)"
            " on m.organisation_id = v.o and m.user_id = v.u"
            " when matched then update set role = 'viewer'"
            " when not matched then insert (organisation_id, user_id, role)"
            " values (v.o, v.u, 'member')",
        ),
        "vera_id",
        NOBODY,
        refused="42501",
    ),
    Oracle(
        "a foreign key to a hidden organisation",
        (
            *MINE,
            "insert into app.projects (organisation_id, name) values (%(guess)s, 'x')",
        ),
        "victim",
        NOBODY,
        refused="42501",
    ),
    Oracle(
        "the entry to an organisation that is there and to one that is not",
        ("select gate.enter(%(mallory)s, 'r', %(guess)s, 'projects.read')",),
        "victim",
        NOBODY,
        refused="SA404",
    ),
    Oracle(
        "the entry with a permission that nobody has",
        ("select gate.enter(%(mallory)s, 'r', %(guess)s, 'nothing')",),
        "victim",
        NOBODY,
        refused="SA404",
    ),
    Oracle(
        "a project of another organisation and one that is not there",
        ("select api.get_project(%(mallory)s, 'r', %(own)s, %(guess)s)",),
        "victim_project",
        NOBODY,
        refused="SA404",
    ),
    Oracle(
        "another organisation's member and one that is not there",
        ("select api.update_member(%(mallory)s, 'r', %(own)s, %(guess)s, 'viewer')",),
        "vera_id",
        NOBODY,
        refused="SA404",
    ),
    Oracle(
        "a login with a wrong password and of nobody",
        (
            "begin",
            "select * from api.login(%(guess)s, %(output)s, sha256('s'), 60, 'r')",
        ),
        "vera_email",
        "nobody@nowhere.example",
    ),
    Oracle(
        "a credential that has expired and one that never was",
        ("select gate.authenticate(%(guess)s)",),
        "vera_expired",
        b"never",
        refused="SA401",
    ),
    Oracle(
        "a lock skipped on a hidden row",
        (*MINE, "select 1 from app.projects where project_id = %(guess)s for update skip locked"),
        "victim_project",
        NOBODY,
    ),
]


@pytest.mark.parametrize("oracle", ORACLES, ids=lambda one: one.name)
def test_oracle_says_the_same_to_a_right_and_a_wrong_guess(stage: Stage, oracle: Oracle) -> None:
    right = _ask(stage, oracle, stage.facts.get(oracle.right, oracle.right))
    wrong = _ask(stage, oracle, stage.facts.get(str(oracle.wrong), oracle.wrong))
    assert right.sqlstate == wrong.sqlstate == oracle.refused, right.text
    assert right.text == wrong.text
    stage.assert_unchanged()


def _ask(stage: Stage, oracle: Oracle, guess: object) -> Transcript:
    """The transcript, with the guess itself taken out: the server quotes it in a plan."""
    with stage.connect() as connection:
        seen = make(connection, oracle.statements, {**stage.facts, "guess": guess})
    said = {guess.hex() if isinstance(guess, bytes) else str(guess)}
    for text in said:
        seen.text = seen.text.replace(text, "GUESS")
    return seen
