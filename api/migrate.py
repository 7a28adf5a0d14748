"""
Bring a database to the schema of sql/ and policies/: `saas-api migrate`.

Migrations (sql/migrations, by yoyo) change tables, once. Definitions (functions, views, triggers,
policies) are current files, replayed in one transaction when their text changed or what they made
is gone, and dropped when they are gone themselves. The ledger of both is schema deploy
(sql/ledger.sql).
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
from psycopg import sql

from api import definitions, files, urls
from api.definitions import Definition
from api.failure import Failure, Say, say_nothing

LOCK_TIMEOUT = "10s"
NAME = "SAAS_API_MIGRATION_DATABASE_URL"


class Unreadable(Failure):
    """The database has a schema version, perhaps, but does not tell it to this role."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of sql/migrations; its digest covers the rollback file too."""

    migration_id: str
    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do. `version` is where it ends."""

    migrations: tuple[Migration, ...]
    changes: definitions.Changes
    version: str
    current: str | None

    def lines(self) -> list[str]:
        """One line a step, in order; empty when there is nothing to do."""
        steps = [f"apply {migration.path.name}" for migration in self.migrations]
        steps += [f"define {definition.path}" for definition in self.changes.apply]
        steps += [f"remove {path}" for path in self.changes.remove]
        if not steps and self.current != self.version:
            steps = ["record the version"]
        return steps


def expected_version(tree: files.Tree | None = None) -> str:
    """The schema version of the files: 16 hexadecimal digits, in milliseconds."""
    tree = tree or files.tree()
    lines = [f"{m.migration_id} {m.sha256}\n" for m in _read_migrations(tree)]
    lines += [f"{d.path} {d.sha256}\n" for d in sorted(definitions.read(tree), key=_path)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def current_version(url: str) -> str | None:
    """
    The schema version of a database, read as the API's role; None when it was never migrated.

    Errors: Failure when the database cannot be reached, Unreadable when it does not say.
    Source: sql/functions/api/schema_version.sql
    """
    with urls.connect(url, name="SAAS_API_DATABASE_URL") as connection:
        try:
            row = connection.execute("select api.schema_version()").fetchone()
        except (
            psycopg.errors.UndefinedFunction,
            psycopg.errors.UndefinedTable,
            psycopg.errors.InvalidSchemaName,
        ):
            return None
        except psycopg.Error as error:
            reason = error.diag.message_primary or type(error).__name__
            raise Unreadable(f"{connection.info.user} cannot read it ({reason})") from None
    return str(row[0]) if row and row[0] else None


def plan(url: str, tree: files.Tree | None = None) -> Plan:
    """What `run` would do. Errors: Failure for an edited or missing migration, by name."""
    with _connect(url) as connection:
        return _plan(connection, tree or files.tree())


def run(url: str, tree: files.Tree | None = None, *, say: Say = say_nothing) -> str:
    """
    Bring the database of the migrating role's `url` to the schema of `tree`.

    Returns: the schema version. Errors: Failure naming the file that is wrong.
    """
    tree = tree or files.tree()
    with _connect(url) as connection, _exclusive(url, say):
        todo = _plan(connection, tree)
        if not todo.lines():
            say(f"nothing to do: schema {todo.version}")
            return todo.version
        if todo.migrations:
            _apply_migrations(url, tree, connection, todo.migrations, say)
        with _definitions_transaction(connection):
            # Compared again: a migration may have taken away what a definition made.
            definitions.replay(connection, tree, definitions.compare(connection, tree), say)
            connection.execute("set local role saas_owner")
            connection.execute("delete from deploy.schema_version")
            connection.execute(
                "insert into deploy.schema_version (version) values (%s)", [todo.version]
            )
        say(f"schema {todo.version}")
    return todo.version


def _path(definition: Definition) -> str:
    return definition.path


def _read_migrations(tree: files.Tree) -> list[Migration]:
    found = []
    for path in sorted((tree.sql / "migrations").glob("*.sql")):
        if not path.name.endswith(".rollback.sql"):
            undo = path.with_suffix(".rollback.sql")
            text = path.read_bytes() + b"\0" + (undo.read_bytes() if undo.exists() else b"")
            found.append(Migration(path.stem, path, hashlib.sha256(text).hexdigest()))
    return found


def _parameters() -> dict[str, str]:
    return {"options": f"-c role=saas_owner -c lock_timeout={LOCK_TIMEOUT}"}


@contextmanager
def _connect(url: str) -> Iterator[psycopg.Connection]:
    """A connection of the migrating role as saas_owner. Errors of PostgreSQL become a Failure."""
    try:
        with urls.connect(url, name=NAME, **_parameters()) as connection:
            row = connection.execute("select to_regclass('deploy.migration_lock')").fetchone()
            if row is None or row[0] is None:
                raise Failure("the database is not prepared: run saas-api bootstrap first")
            yield connection
    except psycopg.errors.LockNotAvailable:
        raise Failure(
            f"a table was locked for more than {LOCK_TIMEOUT}: nothing of that step was done, "
            "run saas-api migrate again"
        ) from None
    except psycopg.Error as error:
        raise Failure(f"migrate stopped: {_reason(error)}") from None


def _reason(error: psycopg.Error) -> str:
    """What PostgreSQL says, in one line: message, detail and hint."""
    diag = error.diag
    hint = diag.message_hint and f"hint: {diag.message_hint}"
    return "; ".join(filter(None, (diag.message_primary, diag.message_detail, hint))) or str(error)


@contextmanager
def _exclusive(url: str, say: Say) -> Iterator[None]:
    """Hold the lock of all migrating on a connection of its own; wait for another run."""
    parameters = {"options": "-c role=saas_owner -c idle_in_transaction_session_timeout=0"}
    with urls.connect(url, name=NAME, **parameters) as holder, holder.transaction():
        try:
            with holder.transaction():
                holder.execute("lock table deploy.migration_lock in access exclusive mode nowait")
        except psycopg.errors.LockNotAvailable:
            say("waiting for another migrate to end")
            holder.execute("lock table deploy.migration_lock in access exclusive mode")
        yield


@contextmanager
def _definitions_transaction(connection: psycopg.Connection) -> Iterator[None]:
    with connection.transaction():
        connection.execute("set local check_function_bodies = off")
        yield


def _plan(connection: psycopg.Connection, tree: files.Tree) -> Plan:
    ours = _read_migrations(tree)
    applied: dict[str, str] = dict(
        connection.execute("select migration_id, sha256 from deploy.migrations").fetchall()
    )
    for migration in ours:
        if applied.get(migration.migration_id, migration.sha256) != migration.sha256:
            raise Failure(
                f"{migration.path.name} was edited after it was applied: "
                "restore it, and put the change into a new migration"
            )
    for migration_id in sorted(applied.keys() - {m.migration_id for m in ours}):
        raise Failure(f"{migration_id}.sql was applied here but is gone: restore it, or upgrade")
    row = connection.execute("select version from deploy.schema_version").fetchone()
    return Plan(
        tuple(m for m in ours if m.migration_id not in applied),
        definitions.compare(connection, tree),
        expected_version(tree),
        row[0] if row else None,
    )


@contextmanager
def _yoyo(url: str, tree: files.Tree) -> Iterator[tuple[Any, Any]]:
    """yoyo's backend on schema deploy, as saas_owner, and its migrations."""
    import yoyo  # not needed to serve

    parts = {**urls.parse(url, name=NAME), **_parameters(), "schema": "deploy"}
    with yoyo.get_backend(f"postgresql+psycopg:///?{urlencode(parts)}") as backend:
        yield backend, yoyo.read_migrations(escape(str(tree.sql / "migrations")))


def _apply_migrations(
    url: str,
    tree: files.Tree,
    connection: psycopg.Connection,
    pending: Sequence[Migration],
    say: Say,
) -> None:
    """Apply and record each migration in its own transaction, in the order of names."""
    with _yoyo(url, tree) as (backend, migrations):
        backend.break_lock()  # a dead run's: the lock that counts is ours
        backend.ensure_internal_schema_updated()
        connection.execute((files.tree().sql / "ledger.sql").read_bytes())  # on yoyo's tables too
        by_id = {migration.id: migration for migration in migrations}
        for migration in pending:
            say(f"applying {migration.path.name}")
            theirs = by_id[migration.migration_id]
            theirs.load()
            theirs.steps.append(_Record(theirs, migration))
            try:
                with backend.copy() as worker:
                    theirs.process_steps(worker, "apply")
            except psycopg.errors.LockNotAvailable:
                raise
            except psycopg.Error as error:
                raise Failure(f"{migration.path.name}: {_reason(error)}") from None


class _Record:
    """A last step for yoyo: the migration and its record are one transaction."""

    def __init__(self, theirs: Any, migration: Migration) -> None:
        self.theirs = theirs
        self.migration = migration

    def apply(self, backend: Any, _force: bool = False) -> None:
        """Write it into yoyo's tables and into the ledger."""
        backend.execute("set role saas_owner")
        backend.mark_one(self.theirs)
        statement = sql.SQL(
            "insert into deploy.migrations (migration_id, sha256) values ({}, {})"
        ).format(self.migration.migration_id, self.migration.sha256)
        backend.execute(statement.as_string())
