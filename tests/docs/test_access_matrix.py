"""policies/README.md grants what the database grants, table by role by verb."""

import re
from pathlib import Path

import psycopg
import pytest

from api.policies.databases import Database

VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE")
SCHEMAS = ["app", "auth", "audit"]

COLUMNS = """
select a.attname
from pg_catalog.pg_attribute as a
where
    a.attrelid = %(table)s::regclass and a.attnum > 0 and not a.attisdropped
    and has_column_privilege(%(role)s, a.attrelid, a.attnum, %(verb)s)
"""


def _matrix(root: Path, role: str) -> dict[str, dict[str, str]]:
    """Cell by verb by table, from the role's section."""
    page = (root / "policies/README.md").read_text()
    section = page.split(f"\n## {role}", 1)[1].split("\n## ", 1)[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line.startswith("| ")
    ]
    head, *body = rows
    return {row[0].strip("`"): dict(zip(head[1:], row[1:], strict=True)) for row in body}


def _granted(connection: psycopg.Connection, role: str, table: str, verb: str) -> str:
    """`-`, `all`, or the columns, in alphabetical order."""
    parameters = {"role": role, "table": table, "verb": verb}
    query = "select has_table_privilege(%(role)s, %(table)s::regclass, %(verb)s)"
    whole = connection.execute(query, parameters).fetchone()
    if whole is not None and whole[0]:
        return "all"
    if verb == "DELETE":
        return "-"
    columns = [name for (name,) in connection.execute(COLUMNS, parameters)]
    return ", ".join(sorted(columns)) or "-"


def _said(cell: str) -> str:
    """The same from a cell: its first words in code are columns, if a colon follows."""
    if cell == "-":
        return cell
    columns = re.match(r"`([a-z_, ]+)`:", cell)
    return ", ".join(sorted(columns[1].split(", "))) if columns else "all"


@pytest.mark.parametrize("role", ["saas_api", "saas_gate"])
def test_matrix_says_what_is_granted(root: Path, session_database: Database, role: str) -> None:
    matrix = _matrix(root, role)
    with psycopg.connect(session_database.admin_url) as connection:
        tables = connection.execute(
            "select schemaname || '.' || tablename from pg_catalog.pg_tables"
            " where schemaname = any(%s)",
            [SCHEMAS],
        )
        assert {name for (name,) in tables} <= matrix.keys()
        for table, cells in matrix.items():
            for verb in VERBS:
                granted = _granted(connection, role, table, verb)
                assert _said(cells.get(verb, "-")) == granted, f"{verb} on {table}"
