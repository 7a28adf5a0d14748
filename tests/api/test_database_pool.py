"""The pool against a real server: leases, limits, losses, and when a statement is said again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest

from api import doctor
from api.database import Database, DatabaseAway, PoolExhausted, RoleUnfit
from api.policies import databases
from api.problems import from_exception

MakePool = Callable[..., Database]
PID = "select pg_backend_pid()"


@pytest.fixture
async def make_pool(database: databases.Database) -> AsyncIterator[MakePool]:
    """Makes pools of the API's role, and closes them afterwards."""
    pools: list[Database] = []

    def make(url: str = database.api_url, **options: Any) -> Database:
        pools.append(Database(url, **options))
        return pools[-1]

    yield make
    for pool in pools:
        await pool.close()


@pytest.fixture
async def admin(database: databases.Database) -> AsyncIterator[Any]:
    """A connection that may do anything to the server."""
    connection = await asyncpg.connect(database.admin_url)
    yield connection
    await connection.close()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 5) -> None:
    """Wait for something that is about to happen."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def asleep(admin: Any) -> None:
    """Wait until a statement of the database runs, in pg_sleep."""
    await until(
        lambda: admin.fetchval(
            "select exists (select from pg_stat_activity"
            " where datname = current_database() and wait_event = 'PgSleep')"
        )
    )


async def test_fetch_one_after_another_uses_one_connection(make_pool: MakePool) -> None:
    pool = make_pool()
    pids = {await pool.fetch_value(PID) for _ in range(5)}
    assert len(pids) == 1
    assert pool.statements == 5
    assert pool.connections == {"idle": 1, "busy": 0}


async def test_fetch_at_once_uses_no_more_connections_than_allowed(make_pool: MakePool) -> None:
    pool = make_pool(size=3)
    sql = "select pg_backend_pid() from pg_sleep(0.01)"
    pids = await asyncio.gather(*(pool.fetch_value(sql) for _ in range(20)))
    assert len(set(pids)) == 3
    assert pool.connections == {"idle": 3, "busy": 0}


async def test_fetch_json_is_the_bytes_of_the_server(make_pool: MakePool) -> None:
    value = await make_pool().fetch_value('select \'{"a" :  "é"}\'::json')
    assert value == '{"a" :  "é"}'.encode()


@pytest.mark.direct
async def test_fetch_has_the_settings_of_the_session(make_pool: MakePool) -> None:
    pool = make_pool(statement_timeout_ms=1234, application_name="the-name")
    row = await pool.fetch_row(
        "select current_setting('timezone'), current_setting('search_path'),"
        " current_setting('statement_timeout'), current_setting('application_name')"
    )
    assert tuple(row) == ("UTC", "pg_catalog", "1234ms", "the-name")


async def test_fetch_leaves_nothing_behind_in_a_transaction(make_pool: MakePool) -> None:
    pool = make_pool(size=1)
    await pool.fetch_value("select set_config('app.user_id', 'somebody', true)")
    assert not await pool.fetch_value("select current_setting('app.user_id', true)")


async def test_fetch_error_of_a_statement_keeps_the_connection(make_pool: MakePool) -> None:
    pool = make_pool()
    pid = await pool.fetch_value(PID)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await pool.fetch_value("select 1 / $1::int", 0)
    with pytest.raises(asyncpg.DataError):
        await pool.fetch_value("select $1::int", "no number")
    assert await pool.fetch_value(PID) == pid


async def test_fetch_with_the_pool_exhausted_is_503(make_pool: MakePool, admin: Any) -> None:
    pool = make_pool(size=1, lease_seconds=0.05)
    busy = asyncio.create_task(pool.fetch_value("select 1 from pg_sleep(1)"))
    await asleep(admin)
    with pytest.raises(PoolExhausted) as caught:
        await pool.fetch_value(PID)
    assert from_exception(caught.value).kind.status == 503
    await busy
    assert pool.connections == {"idle": 1, "busy": 0}


@pytest.mark.direct
async def test_fetch_over_the_statement_timeout_is_503_and_keeps_the_connection(
    make_pool: MakePool,
) -> None:
    pool = make_pool(statement_timeout_ms=50)
    pid = await pool.fetch_value(PID)
    with pytest.raises(asyncpg.QueryCanceledError) as caught:
        await pool.fetch_value("select 1 from pg_sleep(5)")
    assert from_exception(caught.value).kind.status == 503
    assert await pool.fetch_value(PID) == pid


async def test_fetch_with_an_answer_that_never_comes_is_503(make_pool: MakePool) -> None:
    pool = make_pool()
    pool._statement_seconds = 0.1
    with pytest.raises(DatabaseAway):
        await pool.fetch_value("select 1 from pg_sleep(3)")
    assert pool.connections == {"idle": 0, "busy": 0}


async def test_fetch_cancelled_throws_the_connection_away(make_pool: MakePool, admin: Any) -> None:
    pool = make_pool(size=1)
    pid = await pool.fetch_value(PID)
    task = asyncio.create_task(pool.fetch_value("select 1 from pg_sleep(5)"))
    await asleep(admin)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pool.connections == {"idle": 0, "busy": 0}
    assert await pool.fetch_value(PID) != pid


async def test_fetch_cancelled_while_waiting_loses_no_connection(
    make_pool: MakePool, admin: Any
) -> None:
    pool = make_pool(size=1)
    busy = asyncio.create_task(pool.fetch_value("select 1 from pg_sleep(1)"))
    await asleep(admin)
    waiting = [asyncio.create_task(pool.fetch_value(PID)) for _ in range(3)]
    await asyncio.sleep(0)
    assert len(pool._waiting) == 3
    waiting[0].cancel()
    await asyncio.gather(busy, *waiting, return_exceptions=True)
    assert pool.connections == {"idle": 1, "busy": 0}


async def test_fetch_after_an_idle_connection_died_is_silent(
    make_pool: MakePool, admin: Any
) -> None:
    pool = make_pool()
    pid = await pool.fetch_value(PID)
    assert await admin.fetchval("select pg_terminate_backend($1, 5000)", pid)  # waits for its end
    await asyncio.sleep(0.1)
    assert await pool.fetch_value(PID) != pid


async def test_fetch_whose_connection_is_terminated_is_503_and_not_said_again(
    make_pool: MakePool, admin: Any
) -> None:
    pool = make_pool()
    pid = await pool.fetch_value(PID)
    task = asyncio.create_task(pool.fetch_value("select 1 from pg_sleep(5)"))
    await asleep(admin)
    await admin.fetch("select pg_terminate_backend($1)", pid)
    with pytest.raises((DatabaseAway, asyncpg.AdminShutdownError)) as caught:
        await task
    assert from_exception(caught.value).kind.status == 503
    assert pool.statements == 2
    assert await pool.fetch_value(PID) != pid


@pytest.mark.direct
async def test_fetch_after_a_function_changed_its_result_is_silent(
    make_pool: MakePool, admin: Any
) -> None:
    await admin.execute("create schema s; grant usage on schema s to public")
    await admin.execute("create function s.f() returns int language sql as 'select 1'")
    pool = make_pool(size=1)
    sql = "select body from s.f() as body"
    assert await pool.fetch_value(sql) == 1
    await admin.execute("drop function s.f()")
    await admin.execute("create function s.f() returns text language sql as $$select 'two'$$")
    assert await pool.fetch_value(sql) == "two"
    assert await pool.fetch_value(sql) == "two"


@pytest.mark.direct
async def test_fetch_after_the_prepared_statements_are_gone_is_silent(make_pool: MakePool) -> None:
    pool = make_pool(size=1)
    assert await pool.fetch_value("select 1") == 1
    await pool._idle[0].connection.execute("deallocate all")
    assert await pool.fetch_value("select 1") == 1


async def test_fetch_without_a_server_fails_at_once_for_a_while_then_recovers(
    make_pool: MakePool, database: databases.Database
) -> None:
    pool = make_pool("postgresql://saas_api@127.0.0.1:1/nowhere")
    for _ in range(3):
        with pytest.raises(DatabaseAway):
            await pool.fetch_value(PID)
    assert pool.connections == {"idle": 0, "busy": 0}
    pool._url = database.api_url
    with pytest.raises(DatabaseAway):
        await pool.fetch_value(PID)

    async def back() -> bool:
        try:
            return bool(await pool.fetch_value(PID))
        except DatabaseAway:
            return False

    await until(back)


async def test_fetch_with_a_role_that_must_not_serve_is_refused(make_pool: MakePool) -> None:
    pool = make_pool(role_check="select 'it owns a table'")
    with pytest.raises(RoleUnfit, match="owns a table"):
        await pool.fetch_value(PID)
    assert pool.connections == {"idle": 0, "busy": 0}


@pytest.mark.direct
async def test_later_connection_whose_triggers_are_silenced_is_refused(
    database: databases.Database, make_pool: MakePool, admin: Any
) -> None:
    pool = make_pool(role_check=doctor.ROLE_FAULTS)
    await pool.fetch_value(PID)
    await admin.execute(f"alter database {database.name} set session_replication_role = replica")
    busy = asyncio.create_task(pool.fetch_value("select 1 from pg_sleep(1)"))
    await asleep(admin)
    with pytest.raises(RoleUnfit, match="no trigger fires for saas_api"):
        await pool.fetch_value(PID)
    assert await busy == 1


@pytest.mark.direct
async def test_session_replication_role_is_refused_in_the_startup_packet(
    database: databases.Database,
) -> None:
    """Could it be sent there, SESSION would have it and no check were needed."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="session_replication_role"):
        await asyncpg.connect(
            database.api_url, server_settings={"session_replication_role": "origin"}
        )


async def test_close_refuses_what_waits_and_what_comes(make_pool: MakePool, admin: Any) -> None:
    pool = make_pool(size=1)
    busy = asyncio.create_task(pool.fetch_value("select 1 from pg_sleep(1)"))
    await asleep(admin)
    waits = asyncio.create_task(pool.fetch_value(PID))
    await asyncio.sleep(0)
    await pool.close()
    assert await busy == 1
    with pytest.raises(DatabaseAway):
        await waits
    with pytest.raises(DatabaseAway):
        await pool.fetch_value(PID)
    assert pool.connections == {"idle": 0, "busy": 0}


@pytest.mark.parametrize("mode", ["disable", "prefer", "require", "verify-ca", "verify-full"])
async def test_url_sslmode_is_libpqs(make_pool: MakePool, mode: str) -> None:
    """Nothing listens there: the mode is read, and the failure is the connection's."""
    with pytest.raises(DatabaseAway) as caught:
        await make_pool(f"postgresql://u:p@127.0.0.1:1/d?sslmode={mode}").fetch_value(PID)
    assert isinstance(caught.value.__cause__, (OSError, asyncpg.InterfaceError))
