"""How PostgreSQL finds rows under the policies: here only, since its choice hangs on statistics."""

import re
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from api.database import SESSION
from api.policies.databases import Database

PROJECTS: LiteralString = """
    select api.list_projects(
        tests.credential('viewer'), 'r', tests.organisation(), 10, 0, {}, {}, {}
    )
"""
EVENTS: LiteralString = """
    select api.list_audit_events(
        tests.credential('owner'), 'r', tests.organisation(), 10, 0, {}, {}
    )
"""
NEWEST: LiteralString = "'created_at', 'desc'"
ORDERS: list[tuple[LiteralString, LiteralString]] = [
    (column, direction)
    for column in ("created_at", "updated_at", "name")
    for direction in ("asc", "desc")
]
START: LiteralString = "null, null"
AFTER: LiteralString = "'2026-01-02 00:00Z', 'ffffffff-ffff-7fff-bfff-ffffffffffff'"
# In the middle of the rows, in each order, and at none of them.
MIDDLE: dict[str, LiteralString] = {
    "created_at": "'2026-01-02 00:30Z', 'ffffffff-ffff-7fff-bfff-ffffffffffff'",
    "updated_at": "'2026-01-02 00:30Z', 'ffffffff-ffff-7fff-bfff-ffffffffffff'",
    "name": "'Project 30 and more', 'ffffffff-ffff-7fff-bfff-ffffffffffff'",
}
ALL_EVENTS: LiteralString = "null, null, null, null, null"
LISTS: dict[str, LiteralString] = {
    "projects, first page": PROJECTS.format("null, null", NEWEST, START),
    "projects, deep page": PROJECTS.format("null, null", NEWEST, AFTER),
    "projects, filtered": PROJECTS.format("'active', 'apollo'", NEWEST, START),
    "events, first page": EVENTS.format(ALL_EVENTS, START),
    "events, deep page": EVENTS.format(ALL_EVENTS, AFTER),
    "events, filtered": EVENTS.format("'project.created', null, null, null, null", START),
}
PEOPLE = sql.SQL("select {}(tests.credential('owner'), 'r', tests.organisation(), 10, 0)")
ROWS = 60
CALLS = """
select s.calls from pg_catalog.pg_stat_xact_user_functions as s
where s.schemaname = 'gate' and s.funcname = 'sealed'
"""


def plans(
    connection: psycopg.Connection,
    statement: LiteralString | sql.Composed,
    role: LiteralString = "saas_api",
) -> list[str]:
    """The statements that a function runs, each with its plan as it ran."""
    found: list[str] = []
    connection.add_notice_handler(lambda said: found.append(said.message_primary or ""))
    connection.execute(
        "load 'auto_explain';"
        " set local auto_explain.log_min_duration = 0;"
        " set local auto_explain.log_nested_statements = on;"
        " set local auto_explain.log_analyze = on;"
        " set local auto_explain.log_level = notice"
    )
    for setting in SESSION.items():
        connection.execute("select set_config(%s, %s, true)", setting)
    connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
    connection.execute(statement)
    return [each for each in found if "Query Text" in each]


def rows(plan: str) -> list[int]:
    """How many rows each scan of a plan has found."""
    return [int(found) for found in re.findall(r"Scan .*\(actual .* rows=(\d+)", plan)]


@pytest.mark.parametrize("name", LISTS)
def test_list_walks_an_index_and_asks_the_policies_once_a_statement(
    pgtap_database: Database, name: str
) -> None:
    """Entered by the policy (ADR 0016)."""
    table = name.split(",")[0]
    with psycopg.connect(pgtap_database.admin_url) as connection:
        connection.execute("select tests.new_tenant('Acme'), tests.new_tenant('Globex')")
        connection.execute(
            "insert into app.projects (organisation_id, name, created_at)"
            " select o.organisation_id, 'Apollo', '2026-01-01 00:00Z'::timestamptz"
            " + n * interval '1 hour' from app.organisations as o, generate_series(1, %s) as n",
            [ROWS],
        )
        # Their times are the transaction's start, and events of one moment say nothing of depth.
        connection.execute("set local session_replication_role = replica")
        connection.execute(
            "update audit.events as e set occurred_at = p.created_at from app.projects as p"
            " where p.organisation_id = e.organisation_id and p.project_id = e.target_id"
        )
        connection.execute("set local track_functions = 'all'")
        ran = plans(connection, LISTS[name])
        calls = connection.execute(CALLS).fetchone()
    walks = [each for each in ran if re.search(rf"Scan.* on (audit\.)?{table}", each)]
    assert len(walks) == 2, "the page, and the count"
    # Of projects the wall asks, for the page enter_list, too; of events the wall and the door.
    assert calls == ({"projects": 3, "events": 4}[table],), "each policy once a statement"
    for each in walks:
        plan = each[each.index("(cost=") :]
        assert "Seq Scan" not in plan
        assert "SubPlan" not in plan
        assert "contains_folded" not in plan
        scanned = re.findall(r"Index Cond: (.*)", plan)
        assert scanned
        assert all("organisation_id = " in condition for condition in scanned), plan
    page = walks[0]
    time = {"projects": "created_at", "events": "occurred_at"}[table]
    entered = [line for line in page.splitlines() if "Index Cond: " in line]
    assert entered
    assert all(f"{time} <= (" in line for line in entered)
    assert "Sort" not in page, "the index has the order"
    if "filtered" not in name:
        assert "Rows Removed by Filter" not in page, "only the page's own rows are looked at"
        assert max(rows(page)) == 11, "ten, and one that says whether there is another page"


@pytest.mark.parametrize(("column", "direction"), ORDERS)
def test_page_in_the_middle_is_entered_by_the_index_of_its_order(
    pgtap_database: Database, column: LiteralString, direction: LiteralString
) -> None:
    order = f"'{column}', '{direction}'"
    with psycopg.connect(pgtap_database.admin_url) as connection:
        connection.execute("select tests.new_tenant('Acme')")
        connection.execute("set local session_replication_role = replica")
        connection.execute(
            "insert into app.projects (organisation_id, name, created_at, updated_at)"
            " select tests.organisation(), 'Project ' || n, t, t from generate_series(10, %s) as n,"
            " lateral (values ('2026-01-01 00:00Z'::timestamptz + n * interval '1 hour')) as m (t)",
            [ROWS],
        )
        ran = plans(connection, PROJECTS.format("null, null", order, MIDDLE[column]))
    page = next(each for each in ran if "as page" in each)
    walk = "Index Scan" + (" Backward" if direction == "desc" else "")
    assert f"{walk} using projects_{column}_idx" in page
    assert "Sort" not in page
    assert "Rows Removed by Filter" not in page, "the rows before it are not looked at"
    assert max(rows(page)) == 11


@pytest.mark.parametrize(
    ("table", "function"),
    [("memberships", sql.SQL("api.list_members")), ("api_keys", sql.SQL("api.list_api_keys"))],
)
def test_page_reads_no_row_beyond_its_own(
    pgtap_database: Database, table: str, function: sql.SQL
) -> None:
    """One more than the page's ten says whether there is another page."""
    with psycopg.connect(pgtap_database.admin_url) as connection:
        connection.execute("select tests.new_tenant('Acme')")
        connection.execute(
            "insert into app.users (email)"
            " select n || '@example.com' from generate_series(1, %s) as n",
            [ROWS],
        )
        connection.execute(
            "insert into app.memberships (organisation_id, user_id, role)"
            " select tests.organisation(), u.user_id, 'viewer' from app.users as u"
            " where u.email ~ '^[0-9]+@'"
        )
        connection.execute(
            "insert into app.api_keys (organisation_id, name, prefix, created_by_user_id)"
            " select tests.organisation(), 'ci', 'saas_AAAAAAAA', tests.user_id('owner')"
            " from generate_series(1, %s)",
            [ROWS],
        )
        connection.execute("analyze app.users, app.memberships, app.api_keys")
        ran = plans(connection, PEOPLE.format(function))
    page = next(each for each in ran if "as page" in each)
    count = next(each for each in ran if "as counted" in each)
    assert f"Index Scan Backward using {table}_created_at_idx" in page
    assert max(rows(page)) == 11, page
    assert f"Index Only Scan using {table}" in count, "the count reads the index alone"


def test_idempotency_key_is_found_by_its_index(pgtap_database: Database) -> None:
    with psycopg.connect(pgtap_database.admin_url) as connection:
        connection.execute("select tests.new_tenant('Acme')")
        connection.execute("select tests.as('owner')")
        connection.execute("set local enable_seqscan = off")
        plan = connection.execute(
            "explain (costs off) update app.idempotency_keys set response = null"
            " where organisation_id = tests.organisation()"
            " and principal_id = tests.user_id('owner')"
            " and claim_id = '00000000-0000-0000-0000-000000000000'"
        ).fetchall()
    assert any("Index Cond: " in line and "claim_id = " in line for (line,) in plan), plan


def test_last_owner_is_looked_for_among_owners(pgtap_database: Database) -> None:
    with psycopg.connect(pgtap_database.admin_url) as connection:
        connection.execute("select tests.new_tenant('Acme')")
        connection.execute("select tests.new_user('second')")
        connection.execute(
            "insert into app.memberships (organisation_id, user_id, role)"
            " values (tests.organisation(), tests.user_id('second'), 'owner')"
        )
        ran = plans(
            connection,
            "select api.update_member(tests.credential('owner'), 'r', tests.organisation(),"
            " tests.user_id('owner'), 'viewer')",
        )
    (look,) = (each for each in ran if "m.role = 'owner'" in each)
    plan = look[look.index("(cost=") :]
    assert re.search(r"Index (Only )?Scan using memberships_owner_idx", plan), plan
    assert "Index Cond: (organisation_id = " in plan


def test_login_reads_expired_sessions_and_no_live_one(pgtap_database: Database) -> None:
    with psycopg.connect(pgtap_database.admin_url) as connection:
        connection.execute("select tests.new_tenant('Acme')")
        connection.execute(
            "insert into auth.credentials (digest, user_id, expires_at)"
            " select sha256(n::text::bytea), tests.user_id('owner'), now() + n * interval '1 hour'"
            " from generate_series(-2, %s) as n where n <> 0",
            [ROWS],
        )
        ran = plans(
            connection,
            "select api.login(tests.email('owner'), 'output', sha256('x'), 900, 'r')",
        )
    walks = [each for each in ran if re.search(r"Scan.* on credentials", each)]
    scanned = [
        int(rows) for each in walks for rows in re.findall(r"Scan .*\(actual .* rows=(\d+)", each)
    ]
    for each in walks:
        assert "Rows Removed by Filter" not in each, each
    assert max(scanned) == 2, "the expired ones"
    assert sum("delete from" in each for each in walks) == 2


def test_page_of_organisations_reads_no_other_organisation(pgtap_database: Database) -> None:
    """Anybody may add anybody to any number of organisations."""
    with psycopg.connect(pgtap_database.admin_url) as connection:
        connection.execute("select tests.new_tenant('Acme')")
        connection.execute(
            "with made as (insert into app.organisations (name)"
            " select 'Spam' from generate_series(1, %s) returning organisation_id)"
            " insert into app.memberships (organisation_id, user_id, role)"
            " select m.organisation_id, tests.user_id('owner'), 'viewer' from made as m",
            [ROWS],
        )
        connection.execute("analyze app.organisations, app.memberships")
        ran = plans(
            connection, "select api.list_organisations(tests.credential('owner'), 'r', 10, 0)"
        )
    page = next(each for each in ran if "from app.memberships as own" in each)
    count = next(each for each in ran if "as counted" in each)
    assert "Scan Backward using memberships_user_id_idx" in page
    assert "Sort" not in page
    scanned = [int(rows) for rows in re.findall(r"Scan .*\(actual .* rows=(\d+)", page)]
    assert max(scanned) == 11, page
    assert "Index Only Scan using memberships_user_id_idx" in count


@pytest.mark.parametrize(
    ("function", "index"),
    [
        ("remove_expired_sessions", "credentials_expires_at_idx"),
        ("remove_past_failures", "login_slots_failed_at_idx"),
    ],
)
def test_what_has_expired_is_found_by_its_time_and_removed_where_it_was_found(
    pgtap_database: Database, function: str, index: str
) -> None:
    with psycopg.connect(pgtap_database.admin_url) as connection:
        connection.execute("select tests.new_tenant('Acme')")
        connection.execute(
            "insert into auth.credentials (digest, user_id, expires_at)"
            " select sha256(n::text::bytea), tests.user_id('owner'), now() - n * interval '1 s'"
            " from generate_series(1, %s) as n",
            [ROWS],
        )
        connection.execute(
            "insert into auth.login_slots (email_digest, slot, failed_at)"
            " select sha256(n::text::bytea), 1, now() - interval '2 days' - n * interval '1 s'"
            " from generate_series(1, %s) as n",
            [ROWS],
        )
        ran = plans(
            connection,
            sql.SQL("select from {}(3)").format(sql.Identifier("auth", function)),
            role="saas_owner",
        )
    (look,) = (each for each in ran if "for update skip locked" in each)
    assert f"Index Scan using {index}" in look
    assert "Index Cond: " in look
    assert rows(look) == [3]
    removals = [each for each in ran if "where current of" in each]
    assert len(removals) == 3
    assert all("Tid Scan" in each for each in removals)
