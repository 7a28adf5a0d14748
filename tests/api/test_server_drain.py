"""The server as a process: it starts, says where, takes turns, drains and ends."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from api.policies import databases
from api.server import START_SECONDS
from tests.serving import Server, serving

SERVE = """
import os, sys
from api import server, settings
sys.exit(server.serve(settings.load(os.environ)))
"""
SLOW = b'{"email": "ada@example.com", "password": "a password"}'

Connected = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class Process:
    """A running server: where it listens, and what it wrote on standard error while it started."""

    process: asyncio.subprocess.Process
    url: str
    said: str

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    async def end(self) -> int:
        return await asyncio.wait_for(self.process.wait(), 20)

    async def logs(self) -> list[dict[str, Any]]:
        """Every line of standard output, once the process has ended."""
        assert self.process.stdout is not None
        return [json.loads(line) for line in (await self.process.stdout.read()).splitlines()]


Start = Callable[..., Any]


@pytest.fixture
async def start(database_url: str, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts servers on free ports, and kills what is left of them."""
    running: list[asyncio.subprocess.Process] = []

    async def start(**variables: str) -> Process:
        environ = {
            **os.environ,
            "SAAS_API_DATABASE_URL": database_url,
            "SAAS_API_PORT": "0",
            "TMPDIR": str(tmp_path),  # what a killed server leaves behind goes with it
            **variables,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            SERVE,
            env=environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        running.append(process)
        assert process.stderr is not None
        async with asyncio.timeout(20):
            said = (await process.stderr.readline()).decode()
            if " listens on " in said:
                said += (await process.stderr.readline()).decode()
        url = said.partition(" listens on ")[2].partition("\n")[0]
        return Process(process, url, said)

    yield start
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A client without a connection pool: each request is a new connection."""
    connector = aiohttp.TCPConnector(force_close=True)
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield session


async def status(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(url) as response:
        return response.status


async def until_unready(session: aiohttp.ClientSession, url: str) -> None:
    """Wait until a server that was told to stop says so."""
    async with asyncio.timeout(10):
        while await status(session, url + "/readyz") != 503:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def until_closed(session: aiohttp.ClientSession, url: str) -> None:
    """Wait until nobody listens there."""
    async with asyncio.timeout(10):
        while True:
            try:
                await status(session, url + "/healthz")
            except aiohttp.ClientConnectorError:
                break
            except aiohttp.ClientConnectionError:
                pass  # it came in the moment between the last accept and the close
            await asyncio.sleep(0.02)


async def begin_upload(url: str) -> Connected:
    """A login that lacks its last byte."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /auth/login HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(SLOW) + SLOW[:-1]
    )
    return reader, writer


async def end_upload(upload: Connected) -> str:
    """Send the last byte, and return the status line of the answer."""
    reader, writer = upload
    writer.write(SLOW[-1:])
    line = await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    return line.decode()


async def test_serve_says_where_it_listens_and_what_to_try(
    start: Start, session: aiohttp.ClientSession
) -> None:
    server = await start()
    assert f"Try: curl -s {server.url}/healthz" in server.said
    assert await status(session, server.url + "/healthz") == 200
    assert await status(session, server.url + "/readyz") == 200


async def test_sigterm_turns_readiness_first_finishes_what_runs_and_exits_0(
    start: Start, session: aiohttp.ClientSession
) -> None:
    server = await start()
    assert await status(session, server.url + "/readyz") == 200
    upload = await begin_upload(server.url)
    assert await status(session, server.url + "/healthz") == 200  # what came before is accepted
    server.signal(signal.SIGTERM)
    await until_unready(session, server.url)
    assert await status(session, server.url + "/healthz") == 200
    await until_closed(session, server.url)
    await asyncio.sleep(2 * START_SECONDS)
    assert (await end_upload(upload)).startswith("HTTP/1.1 401 ")
    assert await server.end() == 0
    with pytest.raises(aiohttp.ClientConnectorError):
        await status(session, server.url + "/healthz")
    lines = await server.logs()
    assert [line["status"] for line in lines if line.get("route") == "/auth/login"] == [401]
    assert all({"timestamp", "level", "message", "environment"} <= set(line) for line in lines)


async def test_sigterm_answers_connections_that_nobody_had_accepted_yet(
    start: Start, session: aiohttp.ClientSession
) -> None:
    server = await start()
    assert await status(session, server.url + "/healthz") == 200
    (worker,) = workers(server.process.pid)
    host, port = server.url.removeprefix("http://").split(":")
    server.signal(signal.SIGTERM)
    await until_unready(session, server.url)
    with paused({worker}):
        clients = [await asyncio.open_connection(host, int(port)) for _ in range(50)]
        for _, writer in clients:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
        _, gone = clients.pop(20)
        reset = struct.pack("ii", 1, 0)
        gone.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        gone.transport.abort()
        await asyncio.sleep(1.0)  # its notice is over once it goes on
    for reader, writer in clients:
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        writer.close()
    assert await server.end() == 0


async def test_burst_of_connections_is_taken_while_the_worker_is_busy(
    start: Start, session: aiohttp.ClientSession
) -> None:
    burst = 300
    if longest_backlog() < burst:
        pytest.skip("the system has a shorter backlog")
    server = await start()
    assert await status(session, server.url + "/healthz") == 200
    await asyncio.sleep(1.5)  # the worker's first second
    host, port = server.url.removeprefix("http://").split(":")
    with paused(workers(server.process.pid)), contextlib.ExitStack() as stack:
        for _ in range(burst):
            stack.enter_context(socket.create_connection((host, int(port)), timeout=2))


async def test_sigterm_with_an_idle_connection_does_not_wait_for_it(
    start: Start, session: aiohttp.ClientSession
) -> None:
    server = await start()
    host, port = server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    began = time.monotonic()
    server.signal(signal.SIGTERM)
    assert await server.end() == 0
    assert time.monotonic() - began < 5
    writer.close()


async def test_log_of_a_stranger_and_of_the_end_has_no_error(
    database: databases.Database, tmp_path: Path
) -> None:
    """What is no HTTP is one line without a traceback, and an orderly stop closes all once."""
    with serving(database.api_url, tmp_path) as server:
        port = int(server.url.rpartition(":")[2])
        first = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
        for sent in (
            b"FROB / HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\r\n\r\n",
            b"GET /\xff HTTP/9\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", port), 5) as stranger:
                stranger.sendall(first + sent)
                while stranger.recv(4096):
                    pass
        server.process.terminate()
        assert await asyncio.to_thread(server.process.wait, 20) == 0
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [line for line in lines if "broken HTTP" in line["message"]]
    assert {line["level"] for line in lines} == {"INFO"}
    assert not [line for line in lines if "exception" in line or "Error while" in line["message"]]


async def test_sigint_exits_0(start: Start, session: aiohttp.ClientSession) -> None:
    server = await start()
    assert await status(session, server.url + "/healthz") == 200
    os.killpg(server.process.pid, signal.SIGINT)  # as a terminal does
    assert await server.end() == 0


async def test_two_workers_serve_and_a_killed_one_is_replaced(
    start: Start, session: aiohttp.ClientSession
) -> None:
    server = await start(SAAS_API_WORKERS="2")
    await two_workers_without(server, 0)
    await asyncio.gather(*(status(session, server.url + "/readyz") for _ in range(10)))
    killed = min(workers(server.process.pid))
    os.kill(killed, signal.SIGKILL)
    await two_workers_without(server, killed)
    assert await status(session, server.url + "/readyz") == 200
    server.signal(signal.SIGTERM)
    assert await server.end() == 0


async def test_worker_killed_under_load_costs_its_own_connections_and_is_replaced(
    database_url: str, tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    statuses: list[int] = []
    broken: list[float] = []  # when these requests began
    over = False

    with serving(database_url, tmp_path, SAAS_API_WORKERS="2") as server:

        async def call() -> None:
            while not over:
                began = time.monotonic()
                try:
                    statuses.append(await status(session, server.url + "/readyz"))
                except aiohttp.ClientConnectionError:
                    broken.append(began)

        await two_workers_without(server, 0)
        before = workers(server.process.pid)
        for pid in before:
            with paused(before - {pid}):
                await status(session, server.url + "/readyz")
        callers = [asyncio.create_task(call()) for _ in range(8)]
        await asyncio.sleep(0.5)
        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        async with asyncio.timeout(10):
            while killed in workers(server.process.pid):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        gone = time.monotonic()
        await two_workers_without(server, killed)
        (new,) = workers(server.process.pid) - before
        await asyncio.sleep(1.5)
        over = True
        await asyncio.gather(*callers)
        with paused(before - {killed}):
            await status(session, server.url + "/readyz")  # the new one takes its turn
    assert set(statuses) == {200}
    assert len(broken) <= len(callers)
    assert all(began < gone for began in broken)
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert {line["process"] for line in lines if line.get("route") == "/readyz"} == {*before, new}


async def test_sigterm_drains_every_worker(start: Start, session: aiohttp.ClientSession) -> None:
    server = await start(SAAS_API_WORKERS="2")
    await two_workers_without(server, 0)
    pids = workers(server.process.pid)
    uploads = []
    for pid, share in zip(pids, (5, 4), strict=True):  # a tenth would be throttled
        with paused(pids - {pid}):
            uploads += [await begin_upload(server.url) for _ in range(share)]
            await status(session, server.url + "/healthz")  # what came before it is accepted
    server.signal(signal.SIGTERM)
    await until_closed(session, server.url)
    await asyncio.sleep(2 * START_SECONDS)
    answers = await asyncio.gather(*(end_upload(upload) for upload in uploads))
    assert all(line.startswith("HTTP/1.1 401 ") for line in answers)
    assert await server.end() == 0
    lines = [line for line in await server.logs() if line.get("route") == "/auth/login"]
    assert [line["status"] for line in lines] == [401] * 9
    assert {line["process"] for line in lines} == pids


@contextlib.contextmanager
def paused(pids: set[int]) -> Iterator[None]:
    """Only the other workers accept: left to themselves, one may take every connection."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def two_workers_without(server: Process | Server, pid: int) -> None:
    """Wait for two workers, none of them the one given."""
    async with asyncio.timeout(10):
        while len(workers(server.process.pid) - {pid}) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def longest_backlog() -> int:
    """How many connections may wait to be accepted, by the system's limit."""
    return int(Path("/proc/sys/net/core/somaxconn").read_text())


def workers(pid: int) -> set[int]:
    """The children of a process."""
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


async def test_sigkill_of_the_server_takes_its_workers_along(
    start: Start, session: aiohttp.ClientSession
) -> None:
    server = await start()
    assert await status(session, server.url + "/healthz") == 200
    server.signal(signal.SIGKILL)
    assert await server.end() == -signal.SIGKILL
    await until_closed(session, server.url)


async def test_port_that_is_taken_is_one_clear_line(start: Start) -> None:
    server = await start()
    port = server.url.rpartition(":")[2]
    second = await start(SAAS_API_PORT=port)
    assert await second.end() != 0
    assert f"cannot listen on 127.0.0.1:{port} (Address already in use)" in await rest(second)


async def test_role_that_must_not_serve_is_refused(
    start: Start, database: databases.Database
) -> None:
    server = await start(SAAS_API_DATABASE_URL=database.admin_url)
    assert await server.end() != 0
    said = await rest(server)
    assert "the database role must not serve: postgres is, or can become, the superuser" in said
    assert "let SAAS_API_DATABASE_URL name saas_api" in said


async def test_url_that_cannot_be_used_is_refused_by_name(start: Start) -> None:
    url = "postgresql://u@127.0.0.1:1/d?sslmode=nonsense"
    server = await start(SAAS_API_DATABASE_URL=url)
    assert await server.end() != 0
    assert "cannot connect with SAAS_API_DATABASE_URL: `sslmode` parameter" in await rest(server)


async def rest(server: Process) -> str:
    """Everything a process wrote on standard error."""
    assert server.process.stderr is not None
    return server.said + (await server.process.stderr.read()).decode()


async def test_start_without_the_database_is_refused(start: Start) -> None:
    server = await start(SAAS_API_DATABASE_URL="postgresql://saas_api@127.0.0.1:1/nowhere")
    assert await server.end() != 0
    said = await rest(server)
    assert "cannot connect with SAAS_API_DATABASE_URL: [Errno 111] Connect call failed" in said
