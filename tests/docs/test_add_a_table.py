"""The walk-through of docs/how-to/add-a-table.md, in a database of its own."""

import ast
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from api import migrate, new_table
from api.files import Tree
from api.policies import databases, pgtap, tap
from api.policies.databases import Database, Server

FILE = re.compile(r"^`((?:sql|policies)/\S+\.sql)`\n\n```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| `(\S+/\S+|\S+\.md)` \|", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Tenant:
    """An owner's credential, and the organisation."""

    credential: bytes
    organisation_id: UUID


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    """The text of the page."""
    return (root / "docs/how-to/add-a-table.md").read_text()


@pytest.fixture(scope="module")
def tree(root: Path, page: str, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """The SQL of the checkout, what the command writes, and on top the files of the page."""
    folder = tmp_path_factory.mktemp("invoices")
    for name in ("sql", "policies"):
        shutil.copytree(root / name, folder / name)
    new_table.write(folder, new_table.plan(root, "invoices"))
    for path, text in FILE.findall(page):
        assert not (folder / path).exists(), f"{path} is taken"
        (folder / path).write_text(text)
    return Tree(folder / "sql", folder / "policies")


@pytest.fixture(scope="module")
def invoices(postgres: Server, tree: Tree) -> Iterator[Database]:
    """A database that was migrated with them."""
    with databases.clone(postgres, databases.EMPTY) as fresh:
        migrate.run(fresh.migration_url, tree)
        yield fresh


@pytest.fixture
def connection(invoices: Database) -> Iterator[psycopg.Connection]:
    """A connection of the API's role, in autocommit."""
    with psycopg.connect(invoices.api_url, autocommit=True) as connection:
        yield connection


def _value(connection: psycopg.Connection, statement: str, *parameters: object) -> object:
    row = connection.execute(statement, parameters).fetchone()
    assert row is not None
    return row[0]


@pytest.fixture(scope="module")
def acme(invoices: Database) -> Tenant:
    """Ada's tenant."""
    return _tenant(invoices.api_url, "ada")


@pytest.fixture(scope="module")
def globex(invoices: Database) -> Tenant:
    """Grace's tenant."""
    return _tenant(invoices.api_url, "grace")


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
    return Tenant(credential, UUID(str(organisation_id)))


def test_page_names_the_files_that_the_command_writes(root: Path, page: str) -> None:
    written = {re.sub(r"/\d{4}_", "/NNNN_", c.path) for c in new_table.plan(root, "invoices")}
    assert set(ROW.findall(page)) == written


CREATE = "select api.create_invoice(%s, 'docs', %s, %s) ->> 'name'"


def test_owner_writes_an_invoice_and_nobody_else_reads_it(
    connection: psycopg.Connection, acme: Tenant, globex: Tenant
) -> None:
    written = _value(connection, CREATE, acme.credential, acme.organisation_id, "No. 1")
    assert written == "No. 1"
    with connection.transaction():
        connection.execute(
            "select gate.enter(%s, 'docs', %s, 'invoices.read')",
            [acme.credential, acme.organisation_id],
        )
        assert connection.execute("select name from api.invoices").fetchall() == [("No. 1",)]
    with connection.transaction():
        connection.execute(
            "select gate.enter(%s, 'docs', %s, 'invoices.read')",
            [globex.credential, globex.organisation_id],
        )
        assert connection.execute("select name from api.invoices").fetchall() == []


def test_stranger_may_not_write_an_invoice(
    connection: psycopg.Connection, acme: Tenant, globex: Tenant
) -> None:
    with pytest.raises(psycopg.Error) as refusal:
        _value(connection, CREATE, globex.credential, acme.organisation_id, "Trojan")
    assert refusal.value.sqlstate == "SA404"


def test_second_migrate_has_nothing_to_do(invoices: Database, tree: Tree) -> None:
    assert migrate.plan(invoices.migration_url, tree).lines() == []


def test_table_keeps_the_invariants_of_the_catalogue(root: Path, invoices: Database) -> None:
    with psycopg.connect(invoices.admin_url, autocommit=True) as superuser:
        pgtap.load(superuser)
        superuser.execute(databases.HELPERS.read_bytes())
    tap.run_file(root / "tests/sql/invariants.sql", invoices.admin_url)


def test_handler_of_the_page_is_python(page: str) -> None:
    (handler,) = PYTHON.findall(page)
    ast.parse(handler)
