"""
What a request costs in counts that do not depend on the clock, held against bench/ceilings.json.

    .venv/bin/python -m bench.check            compare; exit status 1 if a count is over its ceiling
    .venv/bin/python -m bench.check --write    make the counts of now the ceilings

Makes a PostgreSQL of its own, with a data set of bench/growth.py whose tenants' rows lie mixed, and
serves the application in a thread of this process, over HTTP and with every feature on. What
PostgreSQL counts it counts on the application's own connection, so with its role's and its
session's settings. For each kind of request, once warm:

    round_trips    answers that PostgreSQL ended with ReadyForQuery, read off the wire
    sql_functions  calls of functions that are not put into their caller's plan, triggers included
    buffers        shared buffers that planning and execution touched
    plans          statements planned, in functions too: none where each plan is kept
    python_calls   calls of Python and C functions by the server's thread (under Python 3.11 alone:
                   other versions make others), with 3 % of room: the clock's digits are in the log

A count that rose names itself. Where the rise is meant, write new ceilings and say why in the
commit; where a count fell by more than a tenth, the check says so, for the ceiling to follow.
"""

import asyncio
import contextlib
import json
import statistics
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from math import ceil
from pathlib import Path
from typing import Any

import psycopg
import uvloop
from aiohttp import web
from rich.progress import Progress

from api import passwords, urls
from api.app import create_app
from api.calls import SERVICES
from api.embedded import PORT
from api.settings import Settings
from bench import growth
from bench.growth import EACH, LARGE, DataSet
from bench.load import Client
from bench.profile import COUNTING
from bench.stage import (
    EMAIL,
    ISSUER,
    JWT_SECRET,
    PASSWORD,
    Stage,
    bare,
    organisation_id,
    project_id,
)

CEILINGS = Path(__file__).parent / "ceilings.json"
PYTHON = (3, 11)
WARM_UP = 20
REQUESTS = 30
BATCHES = 7  # of which the smallest counts: now and then the server does something else, too
COUNTED = 9
# What a commit did that is not yet written, VACUUM leaves out of the map of rows that all see:
# whether an index is enough for a count would be chance.
SETTINGS = {**growth.SETTINGS, "synchronous_commit": "on", **COUNTING}
HASHING = ("login",)  # whose Python is Argon2, in threads of its own

# More in the large tenant than a total counts. All in seconds, so in one month's partition.
DATA = DataSet(tenants=300, large=20_000, apart="1 second")
MORE = """
insert into app.users (email)
select 'more-' || n || '@example.com' from generate_series(1, 10000) as n;

insert into app.memberships (organisation_id, user_id, role)
select %(large)s, u.user_id, 'viewer' from app.users as u
on conflict do nothing;

insert into app.api_keys (organisation_id, name, prefix, created_by_user_id)
select o.organisation_id, 'Key ' || n, 'saas_00000000', %(user)s
from
    generate_series(1, 11000) as n
    inner join app.organisations as o on n <= 10 or o.organisation_id = %(large)s
"""
FUNCTIONS = "select coalesce(sum(calls), 0)::int from pg_stat_user_functions"
STATEMENTS = """
select
    sum(shared_blks_hit + shared_blks_read) filter (where toplevel)::int as buffers,
    sum(plans)::int as plans
from pg_stat_statements
where userid <> current_user::regrole
"""


class Wire:
    """A relay in front of PostgreSQL's socket that counts the ends of its answers."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.round_trips = 0
        self.tasks: list[asyncio.Task[None]] = []

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay a new connection."""
        self.tasks.append(asyncio.create_task(self.relay(reader, writer)))

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection's bytes both ways until an end closes it."""
        answers, questions = await asyncio.open_unix_connection(self.path)

        async def forward() -> None:
            while data := await reader.read(65536):
                questions.write(data)
            questions.close()

        task = asyncio.create_task(forward())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await answers.readexactly(5)
                self.round_trips += head[:1] == b"Z"
                writer.write(head + await answers.readexactly(int.from_bytes(head[1:]) - 4))
        writer.close()
        await task


class Server:
    """The application in a thread of its own, and what its thread did."""

    def __init__(self, settings: Settings, metrics: Path) -> None:
        self.calls = 0
        self.port = 0
        self._app = create_app(settings, metrics_directory=metrics)
        self._started: Future[None] = Future()
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def flush(self) -> None:
        """Have PostgreSQL's counts of the application's connection told to all, now."""
        telling = self._app[SERVICES].database.fetch_row(
            "select pg_catalog.pg_stat_force_next_flush()"
        )
        asyncio.run_coroutine_threadsafe(telling, self._loop).result()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._start())
        except Exception as error:
            self._started.set_exception(error)
        else:
            self._started.set_result(None)
            sys.setprofile(self._count)
            self._loop.run_forever()
            sys.setprofile(None)
        self._loop.run_until_complete(self._runner.cleanup())

    def _count(self, _frame: object, event: str, _arg: object) -> None:
        self.calls += event in ("call", "c_call")

    async def _start(self) -> None:
        self._runner = web.AppRunner(self._app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """Serve until the block ends, however it does."""
        self._thread.start()
        self._started.result()
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()


def main() -> int:
    """Count, and compare or write."""
    if "--write" in sys.argv[1:] and sys.version_info[:2] != PYTHON:
        print(f"ceilings are written under Python {'.'.join(map(str, PYTHON))}", file=sys.stderr)
        return 2
    passwords.DEFAULT = passwords.Parameters(8, 1, 1)
    with bare(SETTINGS) as made:
        growth.load(made, DATA, Progress(disable=True))
        with psycopg.connect(made.server.url("postgres", DATA.database), autocommit=True) as admin:
            _load_more(made, admin)
            with Path("/dev/null").open("w") as log, contextlib.redirect_stdout(log):
                counts = asyncio.run(_count(made, admin))
    if "--write" in sys.argv[1:]:
        for each in counts.values():
            if "python_calls" in each:
                each["python_calls"] = ceil(1.03 * each["python_calls"])
        CEILINGS.write_text(json.dumps(counts, indent=4) + "\n")
        return 0
    return _compare(counts, json.loads(CEILINGS.read_text()))


def _compare(counts: dict[str, dict[str, int]], ceilings: dict[str, dict[str, int]]) -> int:
    names = list(dict.fromkeys(name for each in counts.values() for name in each))
    print(" " * 31, *(f"{name:>14}" for name in names))
    over, under = [], []
    for request, each in counts.items():
        print(f"{request:31}", *(f"{each.get(name, '-'):>14}" for name in names))
        for name, count in each.items():
            ceiling = ceilings.get(request, {}).get(name, 0)
            if count > ceiling:
                over.append(f"over its ceiling: {request}: {name} {count}, not {ceiling}")
            elif count < 0.9 * ceiling:
                under.append(f"less: {request}: {name} {count}, not {ceiling}")
    if under:
        print(*under, "make bench-check ARGS=--write lowers the ceilings", sep="\n")
    print(*over or ["no count is over its ceiling"], sep="\n")
    return int(bool(over))


def _load_more(made: Stage, admin: psycopg.Connection) -> None:
    """Members and API keys, so that their lists are long, too."""
    admin.execute("set session_replication_role = replica; set track_functions = none")
    admin.execute("create extension pg_stat_statements")
    for statement in MORE.split(";"):
        parameters = {"large": organisation_id(LARGE), "user": made.user_id}
        admin.execute(statement.encode(), parameters)
    admin.execute("vacuum analyze")


async def _count(made: Stage, admin: psycopg.Connection) -> dict[str, dict[str, int]]:
    """The counts of each kind of request by their names."""
    directory = made.folder / "wire"
    directory.mkdir(mode=0o700)
    socket = f".s.PGSQL.{PORT}"
    wire = Wire(str(made.server.socket_directory / socket))
    relay = await asyncio.start_unix_server(wire.accept, directory / socket)
    settings = Settings(
        database_url=urls.build(
            {"user": "saas_api", "dbname": DATA.database, "host": str(directory), "port": PORT}
        ),
        jwt_secret=JWT_SECRET,
        jwt_issuer=ISSUER,
    )
    (made.folder / "metrics").mkdir()
    served = Server(settings, made.folder / "metrics")
    try:
        with served.serving():
            counts = await asyncio.to_thread(_count_each, made, admin, served, wire)
    finally:
        relay.close()
    await asyncio.gather(*wire.tasks)
    return counts


def _count_each(
    made: Stage, admin: psycopg.Connection, served: Server, wire: Wire
) -> dict[str, dict[str, int]]:
    counts = {}
    with contextlib.closing(Client(served.port, made.tokens["ours"])) as client:
        for name, request in _requests(client).items():
            for _ in range(WARM_UP):
                request()
            counts[name] = _over_http(request, served, wire) | _in_the_database(
                request, served, admin
            )
            if name in HASHING:
                counts[name].pop("python_calls", None)
    return counts


def _requests(client: Client) -> dict[str, Callable[[], Any]]:
    """The kinds of request by name: of a typical tenant, and what is long of the large one."""
    number = DATA.sample()[0]
    organisation, large = (f"/orgs/{organisation_id(each)}" for each in (number, LARGE))
    projects = f"{organisation}/projects"
    project = f"{projects}/{project_id(EACH // 2 * 1_000_000 + number)}"
    key = client.send("POST", f"{organisation}/api-keys", {"name": "Key"})["raw_key"]
    body = {"name": "Apollo", "description": "to the moon"}
    account = {"email": EMAIL, "password": PASSWORD}

    def get(path: str, **headers: str) -> Callable[[], Any]:
        return lambda: client.send("GET", path, **headers)

    def deep(path: str, query: str = "") -> Callable[[], Any]:
        half = client.send("GET", f"{path}?offset={DATA.large // 2}{query}")
        return get(f"{path}?cursor={half['next_cursor']}{query}")

    return {
        "read one": get(project),
        "read one with API key": get(project, Authorization=f"Bearer {key}"),
        "list 50": get(projects),
        "list 50 filtered": get(f"{projects}?status=active&name=apo&sort_by=name"),
        "large list": get(f"{large}/projects"),
        "large list filtered": get(f"{large}/projects?status=active"),
        "large list by cursor": deep(f"{large}/projects"),
        "large list by cursor, by change": deep(f"{large}/projects", "&sort_by=updated_at"),
        "large list by cursor, by name": deep(f"{large}/projects", "&sort_by=name"),
        "members": get(f"{large}/members"),
        "API keys": get(f"{large}/api-keys"),
        "audit events": get(f"{large}/audit-events"),
        "audit events by cursor": deep(f"{large}/audit-events"),
        "me": get("/me"),
        "organisations": get("/orgs?limit=10"),
        "login": lambda: client.send("POST", "/auth/login", account),
        "rename": lambda: client.send("PATCH", project, {"name": f"Apollo {uuid.uuid4()}"}),
        "create": lambda: client.send("POST", projects, body),
        "create with a key": lambda: client.send(
            "POST", projects, body, **{"Idempotency-Key": str(uuid.uuid4())}
        ),
    }


def _over_http(request: Callable[[], Any], served: Server, wire: Wire) -> dict[str, int]:
    batches = []
    for _ in range(BATCHES):
        round_trips, calls = wire.round_trips, served.calls
        for _ in range(REQUESTS):
            request()
        batches.append((wire.round_trips - round_trips, served.calls - calls))
    counts = {"round_trips": round(max(each for each, _ in batches) / REQUESTS)}
    if sys.version_info[:2] == PYTHON:
        counts["python_calls"] = round(min(each for _, each in batches) / REQUESTS)
    return counts


def _in_the_database(
    request: Callable[[], Any], served: Server, admin: psycopg.Connection
) -> dict[str, int]:
    def functions() -> int:
        served.flush()
        return _row(admin, FUNCTIONS)[0]

    before, rows = functions(), []
    for _ in range(COUNTED):
        admin.execute("select pg_stat_statements_reset()")
        request()
        rows.append(_row(admin, STATEMENTS))
    buffers, plans = (round(statistics.median(each)) for each in zip(*rows, strict=True))
    called = round((functions() - before) / COUNTED)
    return {"sql_functions": called, "buffers": buffers, "plans": plans}


def _row(admin: psycopg.Connection, sql: str) -> tuple[int, ...]:
    row = admin.execute(sql.encode()).fetchone()
    assert row is not None
    return row


if __name__ == "__main__":
    sys.exit(main())
