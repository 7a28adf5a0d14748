"""The worked example of docs/how-to/add-a-table.md, in a database of its own."""

import ast
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from api import migrate
from api.embedded import EmbeddedServer
from api.files import Tree
from api.policies import databases, pgtap, tap
from api.policies.databases import Database

FILE = re.compile(r"^`((?:sql|policies)/\S+\.sql)`\n\n```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Tenant:
    """An owner's credential, the organisation, and a project in it."""

    credential: bytes
    organisation_id: UUID
    project_id: UUID


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    """The text of the page."""
    return (root / "docs/how-to/add-a-table.md").read_text()


@pytest.fixture(scope="module")
def tree(root: Path, page: str, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """The SQL of the checkout and, on top, the files of the page."""
    folder = tmp_path_factory.mktemp("notes")
    for name in ("sql", "policies"):
        shutil.copytree(root / name, folder / name)
    for path, text in FILE.findall(page):
        assert not (folder / path).exists(), f"{path} is taken"
        (folder / path).write_text(text)
    return Tree(folder / "sql", folder / "policies")


@pytest.fixture(scope="module")
def notes(postgres: EmbeddedServer, tree: Tree) -> Iterator[Database]:
    """A database that was migrated with the page's files."""
    with databases.clone(postgres, databases.EMPTY) as fresh:
        migrate.run(fresh.migration_url, tree)
        yield fresh


@pytest.fixture
def connection(notes: Database) -> Iterator[psycopg.Connection]:
    """A connection of the API's role, in autocommit."""
    with psycopg.connect(notes.api_url, autocommit=True) as connection:
        yield connection


def _value(connection: psycopg.Connection, statement: str, *parameters: object) -> object:
    row = connection.execute(statement, parameters).fetchone()
    assert row is not None
    return row[0]


@pytest.fixture(scope="module")
def acme(notes: Database) -> Tenant:
    """Ada's tenant."""
    return _tenant(notes.api_url, "ada")


@pytest.fixture(scope="module")
def globex(notes: Database) -> Tenant:
    """Grace's tenant."""
    return _tenant(notes.api_url, "grace")


def _tenant(url: str, name: str) -> Tenant:
    credential = name.encode().ljust(32, b"\0")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "select api.register(%s, null, %s, 'm=8,t=1,p=1', %s, 'docs')",
            [f"{name}@example.com", b"salt" * 4, b"output"],
        )
        connection.execute(
            "select api.login(%s, %s, %s, 900, 'docs')",
            [f"{name}@example.com", b"output", credential],
        )
        organisation_id = _value(
            connection,
            "select body ->> 'organisation_id'"
            " from api.create_organisation(%s, 'docs', %s, null, null)",
            credential,
            name,
        )
        project_id = _value(
            connection,
            "select body ->> 'project_id'"
            " from api.create_project(%s, 'docs', %s, 'Apollo', null, 'active', null, null)",
            credential,
            organisation_id,
        )
    return Tenant(credential, UUID(str(organisation_id)), UUID(str(project_id)))


CREATE = "select api.create_note(%s, 'docs', %s, %s, %s) ->> 'body'"


def test_owner_writes_a_note_and_reads_it(
    connection: psycopg.Connection, acme: Tenant, globex: Tenant
) -> None:
    written = _value(
        connection, CREATE, acme.credential, acme.organisation_id, acme.project_id, "Lift-off"
    )
    assert written == "Lift-off"
    with connection.transaction():
        connection.execute(
            "select gate.enter(%s, 'docs', %s, 'projects.read')",
            [acme.credential, acme.organisation_id],
        )
        assert connection.execute("select body from api.notes").fetchall() == [("Lift-off",)]
    with connection.transaction():
        connection.execute(
            "select gate.enter(%s, 'docs', %s, 'projects.read')",
            [globex.credential, globex.organisation_id],
        )
        assert connection.execute("select body from api.notes").fetchall() == []


def test_stranger_may_not_write_a_note(
    connection: psycopg.Connection, acme: Tenant, globex: Tenant
) -> None:
    with pytest.raises(psycopg.Error) as refusal:
        _value(
            connection, CREATE, globex.credential, acme.organisation_id, acme.project_id, "Trojan"
        )
    assert refusal.value.sqlstate == "SA404"


def test_note_may_not_point_at_another_tenants_project(
    connection: psycopg.Connection, acme: Tenant, globex: Tenant
) -> None:
    with pytest.raises(psycopg.Error) as refusal:
        _value(
            connection, CREATE, globex.credential, globex.organisation_id, acme.project_id, "Trojan"
        )
    assert refusal.value.sqlstate == "SA404"


def test_deleted_project_takes_no_note(connection: psycopg.Connection, acme: Tenant) -> None:
    project_id = _value(
        connection,
        "select body ->> 'project_id'"
        " from api.create_project(%s, 'docs', %s, 'Old', null, 'active', null, null)",
        acme.credential,
        acme.organisation_id,
    )
    connection.execute(
        "select api.delete_project(%s, 'docs', %s, %s)",
        [acme.credential, acme.organisation_id, project_id],
    )
    with pytest.raises(psycopg.Error) as refusal:
        _value(connection, CREATE, acme.credential, acme.organisation_id, project_id, "Late")
    assert refusal.value.sqlstate == "SA404"


def test_nobody_reads_notes_without_a_context(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.Error) as refusal:
        connection.execute("select from app.notes")
    assert refusal.value.sqlstate == "SA401"


def test_api_may_not_lock_the_table(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
        connection.execute("lock table app.notes in row exclusive mode")


def test_second_migrate_has_nothing_to_do(notes: Database, tree: Tree) -> None:
    assert migrate.plan(notes.migration_url, tree).lines() == []


def test_table_keeps_the_invariants_of_the_catalogue(root: Path, notes: Database) -> None:
    with psycopg.connect(notes.admin_url, autocommit=True) as superuser:
        pgtap.load(superuser)
        superuser.execute(databases.HELPERS.read_bytes())
    tap.run_file(root / "tests/sql/invariants.sql", notes.admin_url)


def test_table_rolls_back(postgres: EmbeddedServer, tree: Tree) -> None:
    with databases.clone(postgres, databases.EMPTY) as fresh:
        migrate.run(fresh.migration_url, tree)
        migrate.rollback(fresh.migration_url, tree)
        with psycopg.connect(fresh.admin_url) as superuser:
            assert _value(superuser, "select to_regclass('app.notes') is null")


def test_handler_of_the_page_is_python(page: str) -> None:
    (handler,) = PYTHON.findall(page)
    ast.parse(handler)
