"""
What a handler is given, and how its answer is made.

A route says what its requests hold (`Route`); here a request becomes a `Call` whose credential,
query and body have been checked, in the contract's order of refusal: 401 first, then what is wrong
with the request in itself. The rest (404, 403, 404) is the database's to say.
"""

import random
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from aiohttp import hdrs, web
from multidict import istr

from api.credentials import Credentials
from api.database import Database
from api.metrics import Metrics
from api.passwords import Passwords
from api.problems import UNAVAILABLE, Kind, RequestProblem, from_database
from api.requests import RAW_BODY, identifier, read_body, read_idempotency_key, read_query
from api.resources import NOTHING, Success
from api.schemas import NO_QUERY, Query, Shape
from api.settings import Settings

REQUEST_ID_HEADER = istr("X-Request-ID")
REPLAYED_HEADER = istr("Idempotency-Replayed")
REQUEST_ID = web.RequestKey("request_id", str)
REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,128}")

AUTHENTICATE = "select 1 from api.authenticate($1)"
SCHEMA_VERSION = "select version from api.schema_version() as version"


@dataclass(slots=True)
class Lifecycle:
    """Whether the process is stopping, and how many requests are under way."""

    draining: bool = False
    in_flight: int = 0


@dataclass(frozen=True, slots=True)
class Services:
    """What the handlers of one application share."""

    settings: Settings
    database: Database
    credentials: Credentials
    passwords: Passwords
    schema_version: str
    metrics: Metrics
    lifecycle: Lifecycle = field(default_factory=Lifecycle)


SERVICES = web.AppKey("services", Services)


@dataclass(slots=True)  # frozen, each field would be set through object.__setattr__
class Call:
    """
    One request, checked. `credential` is the digest the database knows (b"" where the route asks
    for none); `query` and `body` fit the route's schemas. `idempotency_key` and `raw_body` (the
    body as it came, for the database to compare) are None where the client sent no key.
    """

    request: web.Request
    services: Services
    credential: bytes
    request_id: str
    query: Mapping[str, Any]
    body: dict[str, Any]
    idempotency_key: str | None = None
    raw_body: str | None = None

    def id(self, name: str) -> str:
        """The id in the path, or the nil UUID for what is no UUID."""
        return identifier(self.request.match_info[name])

    async def fetch(self, sql: str, *args: object) -> Any:
        """The first column of what `fetch_row` gives."""
        return (await self.fetch_row(sql, *args))[0]

    def fetch_row(self, sql: str, *args: object) -> Awaitable[Any]:
        """Run this request's one statement; its $1 is the credential, its $2 the request id."""
        return self.services.database.fetch_row(sql, self.credential, self.request_id, *args)

    @property
    def after(self) -> tuple[Any, str | None]:
        """What the list is ordered by, of the row that the page follows, and its id; or None."""
        return self.query["cursor"] or (None, None)

    async def page(self, sql: str, *args: object) -> web.Response:
        """
        200 {"items": [...], "total": int, "total_is_exact": bool, "limit": int, "offset": int,
        "next_cursor": str | null}, in Link where the next page is (RFC 8288). The statement's last
        column must be current_setting('app.next_cursor', true).
        """
        body, cursor = await self.fetch_row(sql, *args)
        response = ok(body)
        if cursor:
            url = self.request.rel_url.without_query_params("offset").update_query(cursor=cursor)
            response.headers[hdrs.LINK] = f'<{url}>; rel="next"'
        return response

    async def change(self, sql: str, *args: object) -> Any:
        """
        As `fetch_row`, for a statement that changes something. Its last column must be
        current_setting('app.audit_events', true); it comes back as the number of audit events.
        """
        *row, audit_events = await self.fetch_row(sql, *args)
        return (*row, self.services.metrics.count_audit_events(audit_events))


Handler = Callable[[Call], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """
    An endpoint: where it is, who serves it, its good answer, and what its requests may hold.

    `refuses` are the problems that do not follow from the rest of the declaration.
    """

    method: str
    path: str
    handler: Handler
    success: Success = NOTHING
    authenticated: bool = True
    query: Query | None = NO_QUERY  # None: not looked at
    body: Shape | None = None
    idempotent: bool = False  # honours Idempotency-Key
    refuses: tuple[Kind, ...] = ()


def serve(route: Route, services: Services) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The aiohttp handler of a route."""
    handler, query_shape, body_shape = route.handler, route.query, route.body

    async def handle(request: web.Request) -> web.Response:
        credential = b""
        if route.authenticated:
            credential = services.credentials.digest(request.headers.get(hdrs.AUTHORIZATION))
        try:
            body = await read_body(request, body_shape) if body_shape else {}
            query = read_query(request, query_shape) if query_shape else {}
            key = read_idempotency_key(request) if route.idempotent else None
        except RequestProblem:
            if route.authenticated:
                await services.database.fetch_row(AUTHENTICATE, credential)
            raise
        raw_body = None if key is None else request[RAW_BODY].decode()
        return await handler(
            Call(request, services, credential, request[REQUEST_ID], query, body, key, raw_body)
        )

    return handle


async def schema_version(services: Services) -> str | None:
    """
    The database's schema version; None where there is none, or none that this role may read.

    Errors: 503 while the database cannot answer.
    """
    try:
        version: str | None = await services.database.fetch_value(SCHEMA_VERSION)
    except asyncpg.PostgresError as error:
        if from_database(error).kind is UNAVAILABLE:
            raise
        return None
    return version


def request_id(request: web.Request) -> str:
    """The client's request id if it is a good one, else a new one."""
    given = request.headers.get(REQUEST_ID_HEADER)
    if given is not None and REQUEST_ID_PATTERN.fullmatch(given):
        return given
    return f"{random.getrandbits(128):032x}"


def ok(body: bytes) -> web.Response:
    """200 with a JSON body."""
    return web.Response(body=body, content_type="application/json")


def created(
    body: bytes,
    location: str | None = None,
    *,
    key: str | None = None,
    replayed: bool = False,
) -> web.Response:
    """
    201 with a JSON body; `location` is the path of the collection, `key` the new id's field.
    `replayed`: the body is the one an idempotency key got before.
    """
    response = web.Response(status=201, body=body, content_type="application/json")
    if location is not None and key is not None:
        # No string of JSON holds this: in one, each quote has a backslash before it.
        row_id = body.partition(b'"%b":' % key.encode())[2].split(b'"', 2)[1]
        response.headers[hdrs.LOCATION] = f"{location}/{row_id.decode()}"
    if replayed:
        response.headers[REPLAYED_HEADER] = "true"
    return response


def no_content() -> web.Response:
    """204."""
    return web.Response(status=204)
