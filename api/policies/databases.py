"""
One PostgreSQL for a run of tests, and scratch databases copied from its templates.

The first process of the run that needs it makes it; the run's other processes share it; its main
process ends it. Durability is off: these data are never needed again.

Given a superuser's libpq URL, it is that server instead, for one run at a time. It must trust who
connects from here, as any role; its saas_* roles are made or mended, and databases named
saas_empty, saas_template, saas_pgtap, draft and test_* are dropped.
"""

import contextlib
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString, Protocol

import psycopg
from psycopg import sql

from api import bootstrap, embedded, files, migrate, urls
from api.embedded import EmbeddedServer
from api.policies import pgtap

EMPTY = "saas_empty"  # bootstrapped, not migrated
MIGRATED = "saas_template"
PGTAP = "saas_pgtap"  # migrated, with pgTAP and tests/sql/helpers.sql
HELPERS = files.pgtap_tests() / "helpers.sql"
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "max_wal_size": "4GB",
}


class Server(Protocol):
    """Any PostgreSQL that the tests may do what they like with."""

    def url(self, role: str = "saas_api", database: str = embedded.DATABASE) -> str:
        """A libpq URL for a login role; `postgres` is the superuser."""


@dataclass(frozen=True, slots=True)
class GivenServer:
    """A server of somebody's, who lets us."""

    admin_url: str

    def url(self, role: str = "saas_api", database: str = embedded.DATABASE) -> str:
        """The superuser's URL, for `postgres`, or the same for another role."""
        if role == "postgres":
            return urls.replace(self.admin_url, dbname=database)
        return urls.replace(self.admin_url, user=role, dbname=database)


@dataclass(frozen=True, slots=True)
class Database:
    """A database of the test server, and the URL of each role for it."""

    server: Server
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


def start(directory: Path, given: str | None = None) -> Server:
    """A server with the templates, made by whoever comes first: a new one, or the one given."""
    with embedded.lock(directory):
        server = _given(directory, given) if given else _own(directory)
        if not _exists(server, MIGRATED):
            bootstrap.bootstrap(server.url("postgres", "postgres"), database=EMPTY)
            _create(server, "draft", EMPTY)
            migrate.run(server.url("saas_migrator", "draft"))
            _execute(server, "alter database draft rename to {}", MIGRATED)
    return server


def _own(directory: Path) -> Server:
    """A server of the run's own, which knows pgTAP if that is to be had."""
    settings = dict(SETTINGS)
    share = pgtap.find_share()
    if share is not None:
        copy = directory / "share"
        if not copy.exists():
            shutil.copytree(share / "extension", copy / "extension", copy_function=shutil.copy)
            for path in (copy, *copy.rglob("*")):
                path.chmod(0o755 if path.is_dir() else 0o644)
        settings["extension_control_path"] = f"$system:{copy}"
    return embedded.ensure_running(directory / "server", settings=settings)


def _given(directory: Path, url: str) -> Server:
    """The server we were given, without what an earlier run may have left there."""
    server = GivenServer(url)
    if not (directory / "given").exists():
        _clear(server)
        (directory / "given").touch()
    return server


def _clear(server: Server) -> None:
    """Drop every database that tests make."""
    with psycopg.connect(server.url("postgres", "postgres")) as connection:
        query = (
            "select datname from pg_catalog.pg_database where datname = any (%s) or datname ~ %s"
        )
        names = connection.execute(query, [[EMPTY, MIGRATED, PGTAP, "draft"], "^test_"]).fetchall()
    for (name,) in names:
        _execute(server, "drop database if exists {} with (force)", name)


def ensure_pgtap(directory: Path, server: Server) -> None:
    """Make the template for pgTAP files. Errors: Failure when there is no pgTAP to be had."""
    with embedded.lock(directory):
        if _exists(server, PGTAP):
            return
        _create(server, "draft", MIGRATED)
        with psycopg.connect(server.url("postgres", "draft"), autocommit=True) as connection:
            pgtap.load(connection)
            connection.execute(HELPERS.read_bytes())
        _execute(server, "alter database draft rename to {}", PGTAP)


@contextlib.contextmanager
def migrated_server(
    database: str = embedded.DATABASE, settings: Mapping[str, str] = SETTINGS
) -> Iterator[EmbeddedServer]:
    """A server in a temporary folder with one migrated database; all of it is gone at the end."""
    directory = Path(tempfile.mkdtemp(prefix="saas-api-server-"))
    try:
        server = embedded.ensure_running(directory, settings=settings)
        bootstrap.bootstrap(server.url("postgres", "postgres"), database=database)
        migrate.run(server.url("saas_migrator", database))
        yield server
    finally:
        embedded.stop(directory)
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def scratch(given: str | None = None) -> Iterator[Path]:
    """The folder of a run, for `start` and the rest; its server ends with it."""
    with tempfile.TemporaryDirectory(prefix="saas-api-scratch-") as name:
        Path(name).chmod(0o711)  # as root, another user runs the server
        directory = Path(name) / "run"
        try:
            yield directory
        finally:
            stop(directory, given)


def stop(directory: Path, given: str | None = None) -> None:
    """End the run's server, if there is one, and remove all of it."""
    if (directory / "given").exists() and given:
        _clear(GivenServer(given))
    if (directory / "server").is_dir():
        embedded.stop(directory / "server")
    shutil.rmtree(directory, ignore_errors=True)


def copy(server: Server, template: str) -> Database:
    """A fresh database, copied from a template."""
    database = Database(server, f"test_{uuid.uuid4().hex[:12]}")
    _create(server, database.name, template)
    return database


@contextlib.contextmanager
def clone(server: Server, template: str) -> Iterator[Database]:
    """A fresh database, copied from a template and dropped at the end."""
    database = copy(server, template)
    try:
        yield database
    finally:
        drop(database)


def drop(database: Database) -> None:
    """Drop a copy."""
    _execute(database.server, "drop database if exists {} with (force)", database.name)


def _create(server: Server, name: str, template: str) -> None:
    """Copy a database; its rights and its comment are not copied, so give them again."""
    _execute(server, "create database {} template {} owner saas_owner", name, template)
    _execute(server, "revoke all on database {} from public", name)
    _execute(server, "grant connect on database {} to saas_api, saas_migrator, saas_dba", name)
    _execute(server, "comment on database {} is 'multi-tenant-saas-api'", name)


def _exists(server: Server, name: str) -> bool:
    with psycopg.connect(server.url("postgres", "postgres")) as connection:
        query = "select from pg_catalog.pg_database where datname = %s"
        return connection.execute(query, [name]).fetchone() is not None


def _execute(server: Server, statement: LiteralString, *names: str) -> None:
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as connection:
        quoted = [sql.Identifier(name) for name in names]
        connection.execute(sql.SQL(statement).format(*quoted))
