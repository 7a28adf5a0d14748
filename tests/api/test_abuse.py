"""
Clients that are hostile, broken, slow or many: refused in time, and nobody else notices.

One server, as a process of its own, takes all of it; after each test it still serves, has kept its
connections to the database, and has logged no error.
"""

import asyncio
import contextlib
import json
import re
import resource
import socket
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psutil
import psycopg
import pytest

from api.app import create_app
from api.policies import databases
from api.settings import Settings
from tests.serving import Server, serving

NOWHERE = "postgresql://saas_api@127.0.0.1:1/nowhere"
MIB = 1024 * 1024
LOGIN = b"POST /auth/login HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
LAST_HEALTH = b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
READY = b"GET /readyz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

QUIET = ("INFO", "WARNING")

Connected = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(scope="module")
def server(
    session_database: databases.Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The server that all tests here go for; its log is `temporary / "log"`."""
    with serving(session_database.api_url, tmp_path_factory.mktemp("abuse")) as running:
        yield running


@pytest.fixture(autouse=True)
async def unharmed(server: Server, session_database: databases.Database) -> AsyncIterator[None]:
    """Whatever was done to it: the server serves, and has nothing to complain about."""
    log = server.temporary / "log"
    start = log.stat().st_size
    yield
    assert (await exchange(server, LAST_HEALTH)).startswith(b"HTTP/1.1 200 ")
    assert (await exchange(server, READY)).startswith(b"HTTP/1.1 200 ")
    lines = [json.loads(line) for line in log.read_bytes()[start:].splitlines()]
    assert [line for line in lines if line.get("status") == 500] == []
    assert [line for line in lines if "logger" in line and line["level"] not in QUIET] == []


async def connect(server: Server) -> Connected:
    return await asyncio.open_connection(*address(server))


async def exchange(server: Server, *parts: bytes, seconds: float = 5) -> bytes:
    """Send, and return all that comes until the server closes the connection or says no more."""
    reader, writer = await connect(server)
    came = b""
    with contextlib.suppress(ConnectionError):
        for part in parts:
            writer.write(part)
            await writer.drain()
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(seconds):
            while piece := await reader.read(65_536):
                came += piece
    writer.close()
    return came


def login(body: bytes, *headers: bytes) -> bytes:
    """A login with this body, on a connection that ends with it."""
    return b"".join(
        [LOGIN, b"Connection: close\r\n", *headers, b"Content-Length: %d\r\n\r\n" % len(body), body]
    )


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def padded(size: int) -> bytes:
    """A body of just this many bytes that is JSON and does not fit."""
    return b'{"x": "' + b"a" * (size - 9) + b'"}'


def members(each: bytes) -> bytes:
    """A body of just under 1 MiB that is one object, with a number in each member's name."""
    count = MIB // (len(each % MIB) + 1)
    return b"{" + b",".join(each % number for number in range(count)) + b"}"


BODIES = {
    "exactly 1 MiB": (padded(MIB), 422),
    "1 MiB and one byte": (padded(MIB + 1), 413),
    "1 MiB of white space": (b" " * MIB, 400),
    "nothing": (b"", 400),
    "1 MiB of open arrays": (b"[" * MIB, 400),
    "1 MiB of open objects": (b'{"a":' * (MIB // 5), 400),
    "arrays 100,000 deep, closed": (b"[" * 100_000 + b"]" * 100_000, 400),
    "deep inside a field": (b'{"email":' + b"[" * 900 + b"]" * 900 + b"}", 422),
    "a million of small values": (b"[" + b"0," * 500_000 + b"0]", 422),
    "131,000 members": (members(b'"%x":0'), 422),
    "100,000 members with NUL": (members(rb'"\u0000%x":0'), 422),
    "350,000 empty arrays": (b'{"a":[' + b"[]," * 349_000 + b"0]}", 422),
    "100,000 strings with NUL": (rb'{"a":[' + rb'"\u0000",' * 110_000 + b"0]}", 422),
    "NUL as it is": (b'{"email": "a\x00b@example.com", "password": "x"}', 400),
    "NUL escaped": (rb'{"email": "a\u0000b@example.com", "password": "x"}', 422),
    "NUL in a name": (rb'{"em\u0000ail": "ab@example.com", "password": "x"}', 422),
    "lone high surrogate": (rb'{"email": "a\ud800@example.com", "password": "x"}', 422),
    "lone low surrogate": (rb'{"email": "a\udc00@example.com", "password": "x"}', 422),
    "surrogates as UTF-8": (b'{"email": "a\xed\xa0\x80@example.com", "password": "x"}', 400),
    "overlong UTF-8": (b'{"email": "a\xc0\x80@example.com", "password": "x"}', 400),
    "a number of 5,000 digits": (b'{"email": ' + b"9" * 5_000 + b"}", 400),
    "a number of a million digits": (b'{"email": ' + b"9" * 1_000_000 + b"}", 400),
    "a number beyond all floats": (b'{"email": 1e999999999}', 400),
    "a number with an exponent of a million digits": (b"1e" + b"9" * 1_000_000, 400),
    "minus NaN": (b'{"email": -NaN}', 400),
    "a name twice": (b'{"email": "a@example.com", "email": "b@example.com"}', 400),
    "a name twice, once escaped": (rb'{"email": "a", "\u0065mail": "b"}', 400),
    "prototype pollution": (b'{"__proto__": {"admin": true}}', 422),
    "a comment": (b'{"email": "a" /* b */}', 400),
    "two values": (b"{} {}", 400),
    "a byte order mark": (b"\xef\xbb\xbf{}", 400),
    "UTF-16": ('{"email": "a"}'.encode("utf-16"), 400),
}


@pytest.mark.parametrize("name", BODIES)
async def test_body_that_does_harm_is_refused(server: Server, name: str) -> None:
    body, expected = BODIES[name]
    began = time.monotonic()
    answer = await exchange(server, login(body))
    assert status(answer) == expected
    assert b"application/problem+json" in answer
    assert len(answer) < 20_000
    assert time.monotonic() - began < 3


async def test_body_in_chunks_beyond_the_limit_is_413_before_its_end(server: Server) -> None:
    head = LOGIN + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"%x\r\n%b\r\n" % (65_536, b" " * 65_536)
    assert status(await exchange(server, head, *[chunk] * 20, seconds=2)) == 413


BROKEN = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "HTTP of the future": b"GET /healthz HTTP/9.9\r\nHost: h\r\n\r\n",
    "a space in the path": b"GET /heal thz HTTP/1.1\r\nHost: h\r\n\r\n",
    "a header without colon": b"GET /healthz HTTP/1.1\r\nHost h\r\n\r\n",
    "a space before the colon": b"GET /healthz HTTP/1.1\r\nHost : h\r\n\r\n",
    "NUL in a header": b"GET /healthz HTTP/1.1\r\nHost: h\r\nX-A: a\x00b\r\n\r\n",
    "a URL of 64 KiB": b"GET /" + b"a" * 65_536 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
    "a query of 64 KiB": b"GET /orgs?" + b"a" * 65_536 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
    "a header of 64 KiB": b"GET /me HTTP/1.1\r\nHost: h\r\nX-A: " + b"a" * 65_536 + b"\r\n\r\n",
    "10,000 headers": b"GET /me HTTP/1.1\r\nHost: h\r\n" + b"X-A: a\r\n" * 10_000 + b"\r\n",
    "a token of 64 KiB": (
        b"GET /me HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + b"a" * 65_536 + b"\r\n\r\n"
    ),
    "two lengths": LOGIN + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    "a length and chunks": (
        LOGIN + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    ),
    "a length below nothing": LOGIN + b"Content-Length: -1\r\n\r\n{}",
    "a length that is no number": LOGIN + b"Content-Length: 2x\r\n\r\n{}",
    "a length in other digits": LOGIN + "Content-Length: ٢\r\n\r\n{}".encode(),
    "a length beyond all integers": LOGIN + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n{}",
    "chunks twice": LOGIN + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "an unknown coding": LOGIN + b"Transfer-Encoding: zip\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", BROKEN)
async def test_broken_http_is_400_and_ends_the_connection(server: Server, name: str) -> None:
    answer = await exchange(server, BROKEN[name], seconds=2)
    assert status(answer) == 400
    assert len(parts(answer)) == 1  # nothing behind it is taken for a request
    assert b"Traceback" not in answer


async def test_length_too_great_for_the_limit_is_413_unread(server: Server) -> None:
    answer = await exchange(server, LOGIN + b"Content-Length: 10000000000\r\n\r\n{", seconds=0.5)
    assert status(answer) == 413


async def test_length_too_small_leaves_a_rest_that_is_refused(server: Server) -> None:
    body = b'{"email": "a@example.com"}'
    answer = await exchange(server, LOGIN + b"Content-Length: 2\r\n\r\n" + body, seconds=2)
    assert {status(part) for part in parts(answer)} == {400}


def parts(answers: bytes) -> list[bytes]:
    """Each answer of a connection."""
    return re.split(rb"(?=HTTP/1\.[01] \d{3} )", answers)[1:]


async def test_pipelined_requests_are_answered_in_their_order(server: Server) -> None:
    requests_sent = [
        b"GET /%b HTTP/1.1\r\nHost: h\r\nX-Request-ID: n%d\r\n\r\n" % (path, number)
        for number, path in enumerate([b"healthz", b"me", b"nowhere", b"readyz"] * 250)
    ]
    answers = parts(await exchange(server, *requests_sent, LAST_HEALTH))
    ids = [answer.partition(b"X-Request-ID: ")[2].partition(b"\r\n")[0] for answer in answers]
    assert ids[:-1] == [b"n%d" % number for number in range(1000)]
    assert [status(answer) for answer in answers] == [200, 401, 404, 200] * 250 + [200]


async def test_connection_that_pipelines_without_end_is_held_back(server: Server) -> None:
    before = memory(server)
    _, writer = await connect(server)
    piece = HEALTH * 1000
    sent = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(3):
            while sent < 64 * MIB:  # and read none of the answers
                writer.write(piece)
                await writer.drain()
                sent += len(piece)
    assert sent < 64 * MIB
    assert memory(server) - before < 32 * MIB
    assert (await exchange(server, LAST_HEALTH)).startswith(b"HTTP/1.1 200 ")
    writer.transport.abort()


async def test_client_that_goes_in_the_middle_costs_nothing(
    server: Server, session_database: databases.Database
) -> None:
    body = json.dumps({"email": "nobody@example.com", "password": "long enough for it"}).encode()
    head = LOGIN + b"Content-Length: %d\r\n\r\n" % len(body)
    await exchange(server, login(body))  # there is a connection to the database now
    before = backends(session_database)
    for end in [*range(0, len(head) + len(body), 7), len(head) + len(body)]:
        _, writer = await connect(server)
        writer.write((head + body)[:end])
        await asyncio.sleep(0.002)
        writer.transport.abort()
    await asyncio.sleep(0.3)
    assert before <= backends(session_database)  # none was lost
    assert status(await exchange(server, login(body))) in (401, 429)


def backends(database: databases.Database) -> set[int]:
    """The processes that serve the API's connections."""
    with psycopg.connect(database.admin_url) as connection:
        rows = connection.execute(
            "select pid from pg_stat_activity where datname = current_database()"
            " and usename = 'saas_api'"
        )
        return {pid for (pid,) in rows}


async def test_connection_with_ten_thousand_requests_takes_no_more_memory(server: Server) -> None:
    for _ in range(2):
        before = memory(server)
        answers = await exchange(server, HEALTH * 5000, LAST_HEALTH, seconds=10)
        assert len(parts(answers)) == 5001
    assert memory(server) - before < 4 * MIB


OPENINGS = [
    b"",  # says nothing
    LOGIN,  # does not end its head
    LOGIN + b"Content-Length: 9\r\n\r\n{",  # does not end its body
    HEALTH,  # was served, and stays
]


async def test_ten_thousand_open_connections_leave_room_for_others(server: Server) -> None:
    count = most_connections()
    before = memory(server)
    with contextlib.ExitStack() as open_ones:
        for start in range(0, count, 500):
            batch = range(start, min(start + 500, count))
            await asyncio.gather(*(stay(open_ones, server, number) for number in batch))
            # Whoever comes after them is served, which also shows that they have been accepted.
            assert (await exchange(server, LAST_HEALTH)).startswith(b"HTTP/1.1 200 ")
        each = (memory(server) - before) / count
        waits = [await seconds_for(server, READY) for _ in range(20)]
    assert each < 32 * 1024
    assert sorted(waits)[10] < 0.1


async def stay(open_ones: contextlib.ExitStack, server: Server, number: int) -> None:
    """Open a connection, begin, and leave it at that."""
    connection = open_ones.enter_context(socket.socket())
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(connection, address(server))
    await loop.sock_sendall(connection, OPENINGS[number % len(OPENINGS)])


def most_connections() -> int:
    """10,000, or as many as this process and the server may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 10_000 + 500
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))
    return allowed - 500


def address(server: Server) -> tuple[str, int]:
    host, port = server.url.removeprefix("http://").split(":")
    return host, int(port)


async def seconds_for(server: Server, request: bytes) -> float:
    began = time.monotonic()
    assert (await exchange(server, request)).startswith(b"HTTP/1.1 200 ")
    return time.monotonic() - began


async def test_many_large_bodies_at_once_are_held_to_a_bound(server: Server) -> None:
    before = memory(server)
    body = padded(MIB)
    head = LOGIN + b"Content-Length: %d\r\n\r\n" % len(body)
    uploads = [await connect(server) for _ in range(300)]
    for _, writer in uploads:
        writer.write(head + body[: MIB // 2])
    reads = [asyncio.create_task(reader.read(1000)) for reader, _ in uploads]
    began = time.monotonic()
    async with asyncio.timeout(20):
        while time.monotonic() - began < 1.5 or sum(read.done() for read in reads) < 200:
            assert memory(server) - before < 160 * MIB
            await asyncio.sleep(0.05)
    said = [status(read.result()) for read in reads if read.done()]
    assert set(said) == {503}
    small = login(b'{"email": "a@example.com"}')
    assert status(await exchange(server, small)) == 422
    for read in reads:
        read.cancel()
    for _, writer in uploads:
        writer.transport.abort()


def memory(server: Server) -> int:
    """Bytes of memory that the server's processes have."""
    parent = psutil.Process(server.process.pid)
    return sum(process.memory_info().rss for process in [parent, *parent.children()])


async def test_slow_head_ends_with_the_keepalive(aiohttp_server: Any) -> None:
    slow = await aiohttp_server(create_app(Settings(database_url=NOWHERE)), keepalive_timeout=0.5)
    reader, writer = await asyncio.open_connection(slow.host, slow.port)
    began = time.monotonic()
    writer.write(b"GET /healthz HTTP/1.1\r\n")
    with contextlib.suppress(ConnectionError):
        for letter in range(100):
            writer.write(b"X-%d: a\r\n" % letter)
            await writer.drain()
            if reader.at_eof():
                break
            await asyncio.sleep(0.05)
    assert 0.4 < time.monotonic() - began < 3
    assert await reader.read() == b""
    writer.close()
