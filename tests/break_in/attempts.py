"""What an attempt is, and how one is made: SQL as saas_api, and all it was told in return."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

Facts = Mapping[str, object]
Connection = psycopg.Connection[TupleRow]

ENTER = "select gate.enter(%(mallory)s, 'r', %(own)s, 'projects.write')"
"""How the attacker enters their own organisation, with their own live credential."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """
    One way to break in.

    `name` is a sentence; `statements` run one after the other on one connection of saas_api, in
    autocommit, with facts as `%(name)s`, and none but the last may fail. Exactly one of `refused`,
    the SQLSTATE of the last statement, and `answers`, its rows, is given; `told` is in its error.
    """

    name: str
    statements: tuple[str, ...]
    refused: str | None = None
    answers: list[tuple[object, ...]] | None = None
    told: str = ""


@dataclass(slots=True)
class Transcript:
    """What the attacker has seen: `rows` of the last statement, its error, and all `text`."""

    rows: list[tuple[object, ...]] = field(default_factory=list)
    sqlstate: str | None = None
    text: str = ""


def attempt(
    name: str,
    *statements: str,
    refused: str | None = None,
    answers: list[tuple[object, ...]] | None = None,
    told: str = "",
) -> Attempt:
    """An attempt; see there."""
    if (refused is None) == (answers is None):
        raise ValueError(f"{name}: either refused or answers")
    return Attempt(name, statements, refused, answers, told)


def make(connection: Connection, statements: tuple[str, ...], facts: Facts) -> Transcript:
    """
    Run the statements until one fails, and write down everything the server says.

    Errors: AssertionError when one before the last fails: then the attempt was never made.
    """
    seen = Transcript()
    connection.add_notice_handler(lambda notice: _note(seen, notice))
    for number, statement in enumerate(statements, start=1):
        try:
            seen.rows = _run(connection, statement, facts, seen)
        except psycopg.Error as error:
            _note(seen, error.diag)
            seen.rows, seen.sqlstate = [], error.sqlstate or "connection"
            assert number == len(statements), f"never got there: {statement}\n{seen.text}"
    return seen


def _run(
    connection: Connection, statement: str, facts: Facts, seen: Transcript
) -> list[tuple[object, ...]]:
    """Rows of the last result that has any; COPY's data counts as one row a line."""
    with psycopg.ClientCursor(connection) as cursor:
        if statement.startswith("copy"):
            with cursor.copy(sql.SQL(statement)) as copy:
                rows: list[tuple[object, ...]] = [(bytes(line),) for line in copy]
        else:
            cursor.execute(statement, facts)
            rows = []
            for result in cursor.results():
                rows = list(result.fetchall()) if result.description else []
                seen.text += repr(rows) + "\n"
    seen.text += repr(rows) + "\n"
    return rows


def _note(seen: Transcript, told: psycopg.errors.Diagnostic) -> None:
    """Every field of an error or a notice that may quote data."""
    fields = (
        told.severity,
        told.sqlstate,
        told.message_primary,
        told.message_detail,
        told.message_hint,
        told.context,
        told.internal_query,
        told.schema_name,
        told.table_name,
        told.column_name,
        told.datatype_name,
        told.constraint_name,
    )
    seen.text += " | ".join(part for part in fields if part) + "\n"
