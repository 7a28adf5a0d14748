"""
The pool of PostgreSQL connections, and the one way to run a statement on them.

Every request is one statement in autocommit, so nothing outlives it: a connection is leased for
one call, last in first out, and handed back without a reset. Statements are prepared once per
connection, but for a pooler that does not keep them they are sent with their text each time. A
connection that broke, timed out or was cancelled half-way is thrown away. A statement is sent a
second time only where it is certain that the first did nothing.
"""

import asyncio
import logging
import secrets
from collections import deque
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from api.problems import Unavailable

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
LEASE_SECONDS = 5.0
FIRST_BACKOFF_SECONDS = 0.1
LAST_BACKOFF_SECONDS = 2.0
# The server's statement_timeout strikes first; this is for a network that swallows the answer.
GRACE_SECONDS = 1.0

# Each statement of api.* is planned once a connection, and walks an index in its order (ADR 0018).
# sql/bootstrap.sql gives these to the role, too.
PLANNER = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",  # a plan of an average tenant may look dear enough to be compiled
}

# Sent in the startup packet, which wins over what `alter role saas_api set ...` left behind: a role
# may do that to itself, and an attacker's setting must not outlive the attack. There is no sending
# what takes a superuser: session_replication_role, which silences triggers, is in ROLE_FAULTS.
SESSION = {
    "search_path": "pg_catalog",
    "timezone": "UTC",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "row_security": "on",
    "transform_null_equals": "off",
    "local_preload_libraries": "",  # with one that is not there nobody connects
    "restrict_nonsystem_relation_kind": "",
    "exit_on_error": "off",  # a refusal would end the connection
    "lock_timeout": "5000",
    "idle_in_transaction_session_timeout": "10000",
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
    **PLANNER,
}

# Which of these settings the server does not have: a pooler may leave them out.
MISSING = """
select s.name
from pg_catalog.pg_settings as s
join rows from (pg_catalog.unnest($1::text []), pg_catalog.unnest($2::text []))
    as wanted (name, setting)
    on pg_catalog.lower(s.name) = pg_catalog.lower(wanted.name) and s.setting <> wanted.setting
"""

# Run as the prepared statement $2 on a connection whose server said that it is the process $1: is
# it, and does it know the statement by that name? If it is another and does, there is a pooler
# between that passes names on as they are: the statement may be gone at the next call.
WHERE = """
select
    pg_catalog.pg_backend_pid() = $1 as is_direct,
    exists (select from pg_catalog.pg_prepared_statements as p where p.name = $2) as is_passed_on
"""


class PoolExhausted(Unavailable):
    """No connection became free in time."""


class DatabaseAway(Unavailable):
    """There is no connection to be had, or it broke while the statement ran."""


class RoleUnfit(Unavailable):
    """The role could step around the policies, so nothing is served with it."""


class _Link:
    """
    One connection, and the statements prepared on it by their text.

    `direct`: no pooler is between. `named`: what is prepared stays so. Without a name asyncpg
    sends the text along with each call: one round trip as well, but PostgreSQL plans it anew.
    """

    __slots__ = ("_direct", "_named", "_prepared", "connection")

    def __init__(self, connection: Any, *, direct: bool, named: bool) -> None:
        self.connection = connection
        self._prepared: dict[str, Any] = {}
        self._direct = direct
        self._named = named

    async def fetch(self, sql: str, args: tuple[object, ...]) -> Any:
        """Run one statement and return its rows; prepare it first where that is still to do."""
        statement = self._prepared.get(sql) or await self._prepare(sql)
        try:
            return await self._run(statement, args)
        except asyncpg.PostgresError as error:
            if not _is_stale(error):
                raise
        # The prepared statement was out of date (a migration, a pooler): the server refused it
        # and rolled back, so it is safe to say it again. A pooler would give us the same one again.
        self._prepared.clear()
        self._named = self._named and self._direct
        statement = await self._prepare(sql)
        return await self._run(statement, args)

    def _run(self, statement: Any, args: tuple[object, ...]) -> Any:
        """
        What `statement.fetch` awaits in the end: its rows.

        asyncpg's layers between them look whether the connection is open, as the pool has done.
        """
        return self.connection._protocol.bind_execute(statement._state, args, "", 0, False, None)

    async def _prepare(self, sql: str) -> Any:
        name = _statement_name() if self._named else ""
        statement = self._prepared[sql] = await self.connection.prepare(sql, name=name)
        return statement

    def survives(self, error: BaseException) -> bool:
        """Whether the connection is still good after a statement ended in `error`."""
        return (
            isinstance(error, asyncpg.PostgresError)
            and not (error.sqlstate or "").startswith("57P")
            and not self.connection.is_closed()
        )


def _statement_name() -> str:
    """Nobody else's, so that no pooler runs another client's statement in the place of ours."""
    return f"saas_api_{secrets.token_hex(8)}"


async def _link(connection: Any) -> _Link:
    """What is at the other end of a new connection."""
    name = _statement_name()
    try:
        probe = await connection.prepare(WHERE, name=name)
        row = await probe.fetchrow(connection.get_server_pid(), name)
    except asyncpg.InvalidSQLStatementNameError:
        return _Link(connection, direct=False, named=False)
    return _Link(
        connection, direct=row["is_direct"], named=row["is_direct"] or not row["is_passed_on"]
    )


def _is_stale(error: Any) -> bool:
    """Whether the error says that the prepared statement no longer fits the database."""
    return (
        isinstance(error, asyncpg.InvalidCachedStatementError)
        or error.sqlstate == "26000"  # invalid_sql_statement_name
        or (error.sqlstate == "XX000" and "cache lookup failed" in str(error))
    )


class Database:
    """
    A pool of at most `size` connections, made when they are needed.

    `statements` counts the statements sent for callers. `role_check` is a query that returns one
    text a row for each reason not to serve with this role; each new connection is asked, since what
    `alter role all set ...` says holds for those that come later.
    """

    def __init__(
        self,
        url: str,
        *,
        size: int = 10,
        statement_timeout_ms: int = 5000,
        lease_seconds: float = LEASE_SECONDS,
        role_check: str | None = None,
        application_name: str = "saas-api",
    ) -> None:
        self.statements = 0
        self._url = url
        self._size = size
        self._lease_seconds = lease_seconds
        self._statement_seconds = statement_timeout_ms / 1000 + GRACE_SECONDS
        self._server_settings = {
            **SESSION,
            "application_name": application_name,
            "statement_timeout": str(statement_timeout_ms),
        }
        self._role_check = role_check
        self._settings_checked = False
        self._idle: list[_Link] = []
        self._waiting: deque[asyncio.Future[_Link | None]] = deque()
        self._open = 0  # connections that are there, being made, or promised to a waiter
        self._closed = False
        self._backoff = 0.0
        self._retry_at = 0.0

    @property
    def connections(self) -> dict[str, int]:
        """How many connections are idle, and how many busy."""
        return {"idle": len(self._idle), "busy": self._open - len(self._idle)}

    async def fetch_value(self, sql: str, *args: object) -> Any:
        """Run one statement that answers with one row, and return the row's first column."""
        return (await self.fetch_row(sql, *args))[0]

    async def fetch_row(self, sql: str, *args: object) -> Any:
        """
        Run one statement that answers with one row. `json` comes as bytes, as PostgreSQL sent it.

        Errors: asyncpg.PostgresError as the database raised it; Unavailable when it cannot answer.
        """
        link = self._take() or await self._lease()
        self.statements += 1
        try:
            rows = await link.fetch(sql, args)
        except BaseException as error:
            if link.survives(error):
                self._release(link)
                raise
            broken = link.connection.is_closed()
            self._discard(link)
            if broken or isinstance(error, (OSError, TimeoutError)):
                raise DatabaseAway("the connection broke, or the answer did not come") from error
            raise
        self._release(link)
        return rows[0]

    async def close(self) -> None:
        """Close what is idle and refuse what waits; a busy connection closes when handed back."""
        self._closed = True
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(DatabaseAway("the pool is closed"))
        idle, self._idle = self._idle, []
        self._open -= len(idle)
        for link in idle:
            try:
                await link.connection.close(timeout=1)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                link.connection.terminate()

    def _take(self) -> _Link | None:
        """The connection that was handed back last, if one is idle and alive."""
        while self._idle:
            link = self._idle.pop()
            if not link.connection.is_closed():
                return link
            self._open -= 1
        return None

    async def _lease(self) -> _Link:
        """A new connection while there may be more, else the next one that is handed back."""
        if self._closed:
            raise DatabaseAway("the pool is closed")
        if self._open < self._size:
            self._open += 1
            return await self._connect()
        waiter: asyncio.Future[_Link | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(self._lease_seconds):
                link = await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._pass_on(waiter.result())
            if isinstance(error, TimeoutError):
                raise PoolExhausted("no connection became free in time") from None
            raise
        return link or await self._connect()

    def _release(self, link: _Link) -> None:
        if self._closed or link.connection.is_closed():
            self._discard(link)
        else:
            self._pass_on(link)

    def _discard(self, link: _Link) -> None:
        link.connection.terminate()
        self._pass_on(None)

    def _pass_on(self, link: _Link | None) -> None:
        """Hand a connection, or the right to make one (None), to who waits longest, or keep it."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(link)
                return
        if link is None:
            self._open -= 1
        else:
            self._idle.append(link)

    async def _connect(self) -> _Link:
        """Make a connection in a slot counted already; after a failure fail at once for a while."""
        loop = asyncio.get_running_loop()
        try:
            if loop.time() < self._retry_at:
                raise DatabaseAway("the database is away")
            try:
                return await self._open_link()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if not self._backoff:
                    log.warning("database away: %s", type(error).__name__)
                self._backoff = min(
                    max(2 * self._backoff, FIRST_BACKOFF_SECONDS), LAST_BACKOFF_SECONDS
                )
                self._retry_at = loop.time() + self._backoff
                raise DatabaseAway("the database is away") from error
        except BaseException:
            self._pass_on(None)
            raise

    async def _open_link(self) -> _Link:
        connection = await asyncpg.connect(
            self._url,
            timeout=CONNECT_SECONDS,
            command_timeout=self._statement_seconds,
            statement_cache_size=0,
            server_settings=self._server_settings,
        )
        try:
            # Bodies stay the bytes that PostgreSQL built: no text, no parsing, no second encoding.
            await connection.set_type_codec(
                "json", schema="pg_catalog", encoder=bytes, decoder=bytes, format="binary"
            )
            if self._role_check is not None:
                reasons = [row[0] for row in await connection.fetch(self._role_check)]
                if reasons:
                    log.critical("database role refused: %s", "; ".join(reasons))
                    raise RoleUnfit("; ".join(reasons))
                if not self._settings_checked:
                    await self._warn_of_missing_settings(connection)
                    self._settings_checked = True
            link = await _link(connection)
        except BaseException:
            connection.terminate()
            raise
        if self._backoff:
            log.info("database back")
            self._backoff = 0.0
        return link

    async def _warn_of_missing_settings(self, connection: Any) -> None:
        wanted = self._server_settings
        rows = await connection.fetch(MISSING, list(wanted), list(wanted.values()))
        if rows:
            log.warning(
                "settings that a pooler left out (docs/how-to/run-behind-pgbouncer.md): %s",
                ", ".join(sorted(row[0] for row in rows)),
            )
