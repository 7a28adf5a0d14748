"""
What a request costs in counts that do not depend on the clock, held against bench/ceilings.json.

    .venv/bin/python bench/check.py            compare; exit status 1 if a count is over its ceiling
    .venv/bin/python bench/check.py --write    make the counts of now the ceilings

Makes a PostgreSQL of its own in a temporary folder and serves the application in a thread of this
process, over HTTP and with every feature on. For each kind of request it counts

    round_trips    answers that PostgreSQL ended with ReadyForQuery, read off the wire
    sql_functions  calls of functions that are not put into their caller's plan, triggers included
    buffers        shared buffers that the statement touched (EXPLAIN), once its plans have settled
    python_calls   calls of Python and C functions by the server's thread (under Python 3.11 alone:
                   other versions make others), with 2 % of room: the clock's digits are in the log

A count that rose names itself. Where the rise is meant, write new ceilings and say why in the
commit; where a count fell by more than a tenth, the check says so, for the ceiling to follow.
"""

import asyncio
import contextlib
import json
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg  # type: ignore[import-untyped]
import uvloop
from aiohttp import web

from api import bootstrap, embedded, migrate, passwords
from api.app import create_app
from api.calls import SERVICES
from api.settings import Settings

CEILINGS = Path(__file__).parent / "ceilings.json"
PYTHON = (3, 11)
WARM_UP = 20  # of which PostgreSQL plans the first five anew
REQUESTS = 30
BATCHES = 7  # of which the smallest counts: now and then the server does something else, too
EXPLAINED = 9
PROJECTS = 60
FUNCTIONS = "select coalesce(sum(calls), 0)::int from pg_catalog.pg_stat_xact_user_functions"
PASSWORD = "correct horse battery staple"


class Wire:
    """A relay in front of PostgreSQL's socket that counts the ends of its answers."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.round_trips = 0

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
        self.statement: tuple[str, tuple[object, ...]] = ("", ())
        self.port = 0
        self._app = create_app(settings, metrics_directory=metrics)
        self._ready = threading.Event()
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        database = self._app[SERVICES].database
        fetch_row = database.fetch_row

        def noted(sql: str, *args: object) -> Any:
            self.statement = (sql, args)
            return fetch_row(sql, *args)

        database.fetch_row = noted  # type: ignore[method-assign]

    def _run(self) -> None:
        self._loop.run_until_complete(self._start())
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
        self._ready.set()

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """Serve until the block ends."""
        self._thread.start()
        self._ready.wait()
        yield
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


class Client:
    """
    One connection that is kept, and the token of who has logged in.

    A request is one write, which no library promises: in two it would now and then be read in two.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._answers = self._socket.makefile("rb")
        self.token = ""

    def close(self) -> None:
        """Close the connection."""
        self._answers.close()
        self._socket.close()

    def send(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """The answer's body. Errors: AssertionError unless it is a good one."""
        data = b"" if body is None else json.dumps(body).encode()
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        headers |= {"Content-Type": "application/json", "Content-Length": str(len(data))}
        head = [f"{method} {path} HTTP/1.1", "Host: bench", *map(": ".join, headers.items())]
        raw = "\r\n".join([*head, "", ""]).encode() + data
        status, text = self.exchange(raw)
        assert 200 <= status < 300, (method, path, status, text)
        return json.loads(text)

    def exchange(self, raw: bytes) -> tuple[int, bytes]:
        """The status and body that answer a request as it goes over the wire."""
        self._socket.sendall(raw)
        status = int(self._answers.readline().split()[1])
        length = 0
        while (line := self._answers.readline()) != b"\r\n":
            if line[:15].lower() == b"content-length:":
                length = int(line[15:])
        return status, self._answers.read(length)


def main() -> int:
    """Count, and compare or write."""
    if "--write" in sys.argv[1:] and sys.version_info[:2] != PYTHON:
        print(f"ceilings are written under Python {'.'.join(map(str, PYTHON))}", file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="saas-api-bench-"))
    server = embedded.ensure_running(folder)
    try:
        bootstrap.bootstrap(server.url("postgres", "postgres"), database="saas")
        migrate.run(server.url("saas_migrator"))
        with Path("/dev/null").open("w") as log, contextlib.redirect_stdout(log):
            counts = asyncio.run(_count(server, folder))
    finally:
        embedded.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)
    if "--write" in sys.argv[1:]:
        for each in counts.values():
            each["python_calls"] = ceil(1.02 * each["python_calls"])
        CEILINGS.write_text(json.dumps(counts, indent=4) + "\n")
        return 0
    return _compare(counts, json.loads(CEILINGS.read_text()))


def _compare(counts: dict[str, dict[str, int]], ceilings: dict[str, dict[str, int]]) -> int:
    over = 0
    for request, each in counts.items():
        for name, count in each.items():
            ceiling = ceilings.get(request, {}).get(name, 0)
            verdict = ""
            if count > ceiling:
                over += 1
                verdict = "  OVER"
            elif count < 0.9 * ceiling:
                verdict = "  less: bench/check.py --write"
            print(f"{request:18} {name:14} {count:6} of {ceiling:6}{verdict}")
    print(f"{over} counts over their ceilings" if over else "no count is over its ceiling")
    return int(over > 0)


async def _count(postgres: embedded.EmbeddedServer, folder: Path) -> dict[str, dict[str, int]]:
    wire = Wire(_socket(postgres))
    (folder / "wire").mkdir(mode=0o700)
    relay = await asyncio.start_unix_server(wire.relay, folder / "wire" / ".s.PGSQL.5432")
    settings = Settings(database_url=f"postgresql://saas_api@/saas?host={folder / 'wire'}")
    passwords.DEFAULT = passwords.Parameters(8, 1, 1)
    (folder / "metrics").mkdir()
    served = Server(settings, folder / "metrics")
    admin = await asyncpg.connect(postgres.url("postgres"), statement_cache_size=0)
    await admin.execute("set track_functions = 'all'; set session authorization saas_api")
    with served.serving():
        requests = await asyncio.to_thread(_requests, Client(served.port))
        counts = {}
        for name, request in requests.items():
            counts[name] = await asyncio.to_thread(_over_http, request, served, wire)
            counts[name] |= await _in_the_database(admin, request, served)
    await admin.close()
    relay.close()
    return counts


def _socket(postgres: embedded.EmbeddedServer) -> str:
    query = parse_qs(urlsplit(postgres.url()).query)
    return f"{query['host'][0]}/.s.PGSQL.{query['port'][0]}"


def _requests(client: Client) -> dict[str, Callable[[], Any]]:
    """The kinds of request by name, in an organisation with some projects."""
    account = {"email": "ada@example.com", "password": PASSWORD}
    client.send("POST", "/auth/register", account)
    client.token = client.send("POST", "/auth/login", account)["access_token"]
    organisation = client.send("POST", "/orgs", {"name": "Acme"})["organisation_id"]
    path = f"/orgs/{organisation}/projects"
    body = {"name": "Apollo", "description": "to the moon"}
    project = [client.send("POST", path, body) for _ in range(PROJECTS)][-1]["project_id"]
    return {
        "read one": lambda: client.send("GET", f"{path}/{project}"),
        "list 50": lambda: client.send("GET", path),
        "rename": lambda: client.send(
            "PATCH", f"{path}/{project}", {"name": f"Apollo {uuid.uuid4()}"}
        ),
        "create": lambda: client.send("POST", path, body),
        "create with a key": lambda: client.send(
            "POST", path, body, **{"Idempotency-Key": str(uuid.uuid4())}
        ),
    }


def _over_http(request: Callable[[], Any], served: Server, wire: Wire) -> dict[str, int]:
    for _ in range(WARM_UP):
        request()
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


async def _in_the_database(
    admin: asyncpg.Connection, request: Callable[[], Any], served: Server
) -> dict[str, int]:
    """What the request's own statement does, run on a connection that may look into it."""
    buffers, functions = [], 0
    for number in range(WARM_UP + EXPLAINED):
        await asyncio.to_thread(request)  # a statement of its own: another key, another name
        sql, args = served.statement
        args = tuple(_anew(arg) for arg in args)
        async with admin.transaction():
            before = await admin.fetchval(FUNCTIONS)
            plan = await admin.fetchval(f"explain (analyze, buffers, format json) {sql}", *args)
            functions = await admin.fetchval(FUNCTIONS) - before
        node = json.loads(plan)[0]["Plan"]
        if number >= WARM_UP:
            buffers.append(node["Shared Hit Blocks"] + node["Shared Read Blocks"])
    return {"sql_functions": functions, "buffers": round(statistics.median(buffers))}


def _anew(arg: object) -> object:
    """The argument, but another idempotency key: the request has used this one."""
    with contextlib.suppress(ValueError, AttributeError, TypeError):
        if uuid.UUID(str(arg)).version == 4:
            return str(uuid.uuid4())
    return arg


if __name__ == "__main__":
    sys.exit(main())
