"""dba.explain_access is right: what it says of a row is what happens to who tries."""

from typing import Any

import psycopg
import pytest
from psycopg import sql

from api.policies import matrix
from api.policies.databases import Database

PEOPLE = ("owner", "admin", "member", "viewer", "stranger")
ROWS = "select t::text, to_jsonb(t)::text from {} as t limit 6"
VERDICT = """
select result, compared from dba.explain_access(%s::regclass, %s, %s, %s, 'select')
where step = 'verdict'
"""


@pytest.fixture
def connection(pgtap_database: Database) -> Any:
    with psycopg.connect(pgtap_database.admin_url, autocommit=True) as found:
        found.execute("set client_min_messages = error")
        for tenant in ("Acme", "Globex"):
            found.execute("select tests.new_tenant(%s)", [tenant])
            found.execute("select tests.new_project('Apollo', %s)", [tenant])
        yield found


def key(connection: psycopg.Connection, table: str, row: str) -> str:
    """The row's primary key as JSON."""
    found = connection.execute(
        "select jsonb_object_agg(a.attname, %s::jsonb -> a.attname::text)::text"
        " from pg_index as i join pg_attribute as a on a.attrelid = i.indrelid"
        " and a.attnum = any(i.indkey) where i.indrelid = %s::regclass and i.indisprimary",
        [row, table],
    ).fetchone()
    assert found is not None
    return str(found[0])


def sees(connection: psycopg.Connection, table: str, actor: str, row: str) -> bool:
    """Whether the actor really sees the row, as a request would."""
    with connection.transaction(force_rollback=True):
        matrix.become(connection, actor)
        query = sql.SQL("select exists (select from {} as t where t::text = %s)")
        try:
            found = connection.execute(query.format(sql.Identifier(*table.split("."))), [row])
            return bool((found.fetchone() or [False])[0])
        except psycopg.errors.InsufficientPrivilege:
            return False


def test_verdict_of_every_table_agrees_with_what_happens(connection: psycopg.Connection) -> None:
    tables = [name for (name,) in connection.execute(matrix.TABLES).fetchall()]
    seen = hidden = 0
    for table in tables:
        rows = connection.execute(
            sql.SQL(ROWS).format(sql.Identifier(*table.split(".")))
        ).fetchall()
        for text, row in rows if table != "auth.seal_key" else []:
            for actor in PEOPLE:
                organisation = None if actor == "stranger" else "Acme"
                with connection.transaction(force_rollback=True):
                    verdict = connection.execute(
                        VERDICT,
                        [table, key(connection, table, row), f"{actor}@acme.example", organisation],
                    ).fetchone()
                assert verdict is not None
                really = sees(connection, table, actor, text)
                assert verdict[0] == really, f"{actor}, {table} {row}: {verdict[1]}"
                seen, hidden = seen + really, hidden + (not really)
    assert seen > 20
    assert hidden > 50
