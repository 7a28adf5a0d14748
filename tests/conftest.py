"""
What all tests share: one PostgreSQL a run, fresh databases, and pgTAP files as tests.

`database`          a fresh, migrated database of the test's own; .api_url, .migration_url,
                    .admin_url, .url(role)
`session_database`  the same, one for all tests of a worker
`empty_database`    a fresh one that is bootstrapped and not migrated
`pgtap_database`    a fresh one with pgTAP and tests/sql/helpers.sql
`postgres`          the server itself

With --pgbouncer, whatever connects as the API does so through PgBouncer: see tests/pooler.py.
With SAAS_API_TEST_ADMIN_URL, a superuser's libpq URL, that server is used:
api/policies/databases.py says what it must let us do, and what is dropped there.
"""

import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.policies import databases
from api.policies.databases import Database, Server
from tests import pooler, sql_files
from tests.sql_files import SqlFile


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option for a run behind the pooler."""
    parser.addoption("--pgbouncer", action="store_true", help="connect as the API by PgBouncer")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the run's folder in the main process; workers are told."""
    worker = getattr(config, "workerinput", None)
    name = worker["saas_run"] if worker else f"saas-api-tests-{uuid.uuid4().hex[:12]}"
    config.stash[sql_files.RUN] = Path(tempfile.gettempdir()) / name


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where the run's folder is."""
    node.workerinput["saas_run"] = node.config.stash[sql_files.RUN].name


def pytest_unconfigure(config: pytest.Config) -> None:
    """The main process ends the server, after all workers have."""
    if not hasattr(config, "workerinput"):
        databases.stop(config.stash[sql_files.RUN], sql_files.ADMIN_URL)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> SqlFile | None:
    """Each .sql file under tests/sql is a test, but for the helpers."""
    root = Path(__file__).parent / "sql"
    if file_path.suffix == ".sql" and root in file_path.parents and file_path != databases.HELPERS:
        return SqlFile.from_parent(parent, path=file_path)
    return None


@pytest.fixture(scope="session")
def run_directory(pytestconfig: pytest.Config) -> Path:
    """The run's folder: gone at its end."""
    return pytestconfig.stash[sql_files.RUN]


@pytest.fixture(scope="session")
def postgres(run_directory: Path, pytestconfig: pytest.Config) -> Iterator[Server]:
    """The run's server, with its templates."""
    server = databases.start(run_directory, sql_files.ADMIN_URL)
    if not pytestconfig.getoption("--pgbouncer"):
        yield server
        return
    if pooler.program() is None:
        pytest.skip("no pgbouncer (Debian and Ubuntu: apt-get install pgbouncer)")
    with pooler.pooled(server, run_directory / f"pgbouncer-{uuid.uuid4().hex[:12]}") as through:
        yield through


@pytest.fixture
def database(postgres: Server, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A fresh, migrated database."""
    if isinstance(postgres, pooler.PooledServer) and request.node.get_closest_marker("direct"):
        postgres = postgres.direct
    with databases.clone(postgres, databases.MIGRATED) as fresh:
        yield fresh


@pytest.fixture(scope="session")
def session_database(postgres: Server) -> Iterator[Database]:
    """A migrated database that all tests of a worker share."""
    with databases.clone(postgres, databases.MIGRATED) as shared:
        yield shared


@pytest.fixture
def empty_database(postgres: Server) -> Iterator[Database]:
    """A fresh database with roles and ledger, to be migrated by the test."""
    with databases.clone(postgres, databases.EMPTY) as fresh:
        yield fresh


@pytest.fixture
def pgtap_database(run_directory: Path, postgres: Server) -> Iterator[Database]:
    """A fresh database as pgTAP files have it."""
    databases.ensure_pgtap(run_directory, postgres)
    with databases.clone(postgres, databases.PGTAP) as fresh:
        yield fresh
