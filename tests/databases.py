"""
One PostgreSQL for a whole test run, and databases copied from its templates.

The first process of the run that needs it makes it; the workers of pytest-xdist share it; the run's
main process ends it. Durability is off: these data are never needed again.
"""

import contextlib
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from api import bootstrap, embedded, migrate
from api.embedded import EmbeddedServer
from tests import pgtap

RUN = pytest.StashKey[Path]()  # in the configuration: the run's folder
EMPTY = "saas_empty"  # bootstrapped, not migrated
MIGRATED = "saas_template"
PGTAP = "saas_pgtap"  # migrated, with pgTAP and tests/sql/helpers.sql
HELPERS = Path(__file__).parent / "sql" / "helpers.sql"
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "max_wal_size": "4GB",
}


@dataclass(frozen=True, slots=True)
class Database:
    """A database of the test server, and the URL of each role for it."""

    server: EmbeddedServer
    name: str

    def url(self, role: str = "saas_api") -> str:
        """The libpq URL of a login role; `postgres` is the superuser."""
        return self.server.url(role, self.name)

    @property
    def api_url(self) -> str:
        """What the API connects with."""
        return self.url("saas_api")

    @property
    def migration_url(self) -> str:
        """What `saas-api migrate` connects with."""
        return self.url("saas_migrator")

    @property
    def admin_url(self) -> str:
        """The superuser's."""
        return self.url("postgres")


def start(directory: Path) -> EmbeddedServer:
    """The run's server with its templates, made by whoever comes first."""
    with embedded.lock(directory):
        settings = dict(SETTINGS)
        share = pgtap.find_share()
        if share is not None:
            copy = directory / "share"
            if not copy.exists():
                shutil.copytree(share / "extension", copy / "extension", copy_function=shutil.copy)
                for path in (copy, *copy.rglob("*")):
                    path.chmod(0o755 if path.is_dir() else 0o644)
            settings["extension_control_path"] = f"$system:{copy}"
        server = embedded.ensure_running(directory / "server", settings=settings)
        if not _exists(server, MIGRATED):
            bootstrap.bootstrap(server.url("postgres", "postgres"), database=EMPTY)
            _create(server, "draft", EMPTY)
            migrate.run(server.url("saas_migrator", "draft"))
            _execute(server, "alter database draft rename to {}", MIGRATED)
    return server


def ensure_pgtap(directory: Path, server: EmbeddedServer) -> None:
    """Make the template for pgTAP files. Errors: Failure when there is no pgTAP to be had."""
    with embedded.lock(directory):
        if _exists(server, PGTAP):
            return
        pgtap.ensure(server)
        _create(server, "draft", MIGRATED)
        with psycopg.connect(server.url("postgres", "draft"), autocommit=True) as connection:
            connection.execute("create extension pgtap")
            connection.execute(HELPERS.read_bytes())
        _execute(server, "alter database draft rename to {}", PGTAP)


def stop(directory: Path) -> None:
    """End the run's server, if there is one, and remove all of it."""
    if (directory / "server").is_dir():
        embedded.stop(directory / "server")
    shutil.rmtree(directory, ignore_errors=True)


def copy(server: EmbeddedServer, template: str) -> Database:
    """A fresh database, copied from a template."""
    database = Database(server, f"test_{uuid.uuid4().hex[:12]}")
    _create(server, database.name, template)
    return database


@contextlib.contextmanager
def clone(server: EmbeddedServer, template: str) -> Iterator[Database]:
    """A fresh database, copied from a template and dropped at the end."""
    database = copy(server, template)
    try:
        yield database
    finally:
        _execute(server, "drop database if exists {} with (force)", database.name)


def _create(server: EmbeddedServer, name: str, template: str) -> None:
    """Copy a database; the rights on a database itself are not copied, so give them again."""
    _execute(server, "create database {} template {} owner saas_owner", name, template)
    _execute(server, "revoke all on database {} from public", name)
    _execute(server, "grant connect on database {} to saas_api, saas_migrator, saas_dba", name)


def _exists(server: EmbeddedServer, name: str) -> bool:
    with psycopg.connect(server.url("postgres", "postgres")) as connection:
        query = "select from pg_catalog.pg_database where datname = %s"
        return connection.execute(query, [name]).fetchone() is not None


def _execute(server: EmbeddedServer, statement: LiteralString, *names: str) -> None:
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as connection:
        quoted = [sql.Identifier(name) for name in names]
        connection.execute(sql.SQL(statement).format(*quoted))
