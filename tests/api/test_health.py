"""Health: what the probes say, and what clients meet while the database is away."""

import asyncio
import re
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped]
import pytest

from api import __version__, embedded, files
from api.app import create_app
from api.calls import Route
from api.credentials import Credentials, new_session
from api.database import PLANNER, SESSION
from api.policies import databases
from api.settings import Settings
from tests.api import samples
from tests.api.people import person

if TYPE_CHECKING:
    from tests.api.conftest import Answer, Api, Caller, HttpClient

MakeClient = Callable[..., Awaitable["HttpClient"]]


def is_unavailable(answer: "Answer") -> bool:
    """503 that says when to come again."""
    problem = (answer.status, answer.problem) == (503, "unavailable")
    return problem and answer.headers["Retry-After"].isdigit()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    """Wait for something that is about to happen."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def until_ready(api: "Api") -> None:
    """Wait until the application has found the database again, by itself."""

    async def ready() -> bool:
        return (await api.get("/readyz")).status == 200

    await until(ready)


# The probes


async def test_healthz_says_what_the_settings_say(
    settings: Settings, aiohttp_client: MakeClient
) -> None:
    from tests.api.conftest import Api

    named = replace(settings, app_name='A "name"', app_version="9.9", environment="staging")
    api = Api(await aiohttp_client(create_app(named)))
    answer = await api.get("/healthz")
    assert answer.headers["Content-Type"].startswith("application/json")
    assert (answer.status, answer.body) == (
        200,
        {"status": "ok", "name": 'A "name"', "version": "9.9", "environment": "staging"},
    )


async def test_healthz_by_default_says_the_name_and_the_version(api: "Api") -> None:
    answer = await api.get("/healthz")
    assert answer.body == {
        "status": "ok",
        "name": "multi-tenant-saas-api",
        "version": __version__,
        "environment": "local",
    }
    assert api.database.statements == 0


async def test_readyz_answers_200_with_exactly_its_body(api: "Api") -> None:
    answer = await api.get("/readyz")
    assert (answer.status, answer.body) == (200, {"status": "ready"})
    assert answer.headers["Content-Type"].startswith("application/json")


async def test_probes_need_no_credential_and_mind_no_bad_one(api: "Api") -> None:
    for path in ("/healthz", "/readyz"):
        answer = await api.send("GET", path, headers={"Authorization": "Bearer nonsense"})
        assert answer.status == 200


# The database away


@samples.each()
async def test_database_away_is_503_everywhere_but_for_liveness(
    offline: "Api", route: Route
) -> None:
    settings = Settings()
    signer = Credentials(secret=settings.jwt_secret, issuer=settings.jwt_issuer, ttl_seconds=60)
    caller = replace(offline, token=signer.issue(samples.NOWHERE, new_session()))
    answer = await samples.ask(caller, route)
    if route.path in ("/healthz", "/metrics"):
        assert answer.status == 200
    else:
        assert is_unavailable(answer)
    if route.authenticated:  # whether the caller lives is asked before the fault is told
        wrong = await caller.send(route.method, samples.path_of(route) + "?unknown=1")
        assert is_unavailable(wrong)


@contextmanager
def own_server() -> Iterator[tuple[Path, databases.Database]]:
    """A PostgreSQL of the test's own, with a migrated database, to be stopped at will."""
    directory = Path(tempfile.gettempdir()) / f"saas-api-tests-{uuid.uuid4().hex[:12]}"
    try:
        server = databases.start(directory)
        yield directory / "server", databases.copy(server, databases.MIGRATED)
    finally:
        databases.stop(directory)


async def test_server_stopped_is_503_and_back_is_200_without_a_restart(
    aiohttp_client: MakeClient,
) -> None:
    from tests.api.conftest import Api

    with own_server() as (directory, database):
        api = Api(await aiohttp_client(create_app(Settings(database_url=database.api_url))))
        ada = await person(api, "ada")
        acme = await ada.organisation()
        async with locked(database, "app.projects"):
            waits = asyncio.create_task(ada.get(f"/orgs/{acme}/projects"))
            await asyncio.sleep(0.2)
            await asyncio.to_thread(embedded.stop, directory)
        assert is_unavailable(await waits)
        for _ in range(3):
            assert is_unavailable(await ada.get(f"/orgs/{acme}"))
            assert is_unavailable(await api.login(ada.email))
            assert is_unavailable(await api.get("/readyz"))
            assert (await api.get("/healthz")).status == 200
        await asyncio.to_thread(embedded.ensure_running, directory, settings=databases.SETTINGS)
        await until_ready(api)
        # Sessions and rows have outlived it.
        assert (await ada.get(f"/orgs/{acme}")).status == 200


# The database busy or broken, while a request runs


@asynccontextmanager
async def locked(database: databases.Database, table: str) -> AsyncIterator[Any]:
    """Nobody reads this table; the connection that sees to it may do anything else too."""
    connection = await asyncpg.connect(database.admin_url)
    try:
        await connection.execute(f"begin; lock table {table} in access exclusive mode")
        yield connection
    finally:
        connection.terminate()


async def blocked(connection: Any) -> list[int]:
    """The backends of the API that wait for a lock."""
    rows = await connection.fetch(
        "select pid from pg_locks join pg_stat_activity as a using (pid)"
        " where not granted and a.datname = current_database() and a.usename = 'saas_api'"
    )
    return [row[0] for row in rows]


async def wait_for(caller: "Caller", path: str, connection: Any) -> "asyncio.Task[Answer]":
    """A request that has got as far as the lock."""
    task = asyncio.create_task(caller.get(path))

    async def waits() -> bool:
        await connection.execute("select pg_stat_clear_snapshot()")
        return bool(await blocked(connection))

    await until(waits)
    return task


async def test_connection_terminated_under_a_request_is_503_and_the_next_is_200(
    api: "Api", database: databases.Database
) -> None:
    ada = await person(api, "ada")
    acme = await ada.organisation()
    path = f"/orgs/{acme}/projects"
    async with locked(database, "app.projects") as connection:
        request = await wait_for(ada, path, connection)
        for pid in await blocked(connection):
            await connection.execute("select pg_terminate_backend($1)", pid)
        assert is_unavailable(await request)
    assert (await ada.get(path)).status == 200


async def test_every_connection_terminated_between_requests_is_not_noticed(
    api: "Api", database: databases.Database
) -> None:
    ada = await person(api, "ada")
    await asyncio.gather(*(ada.get("/me") for _ in range(20)))
    connection = await asyncpg.connect(database.admin_url)
    await connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and usename = 'saas_api'"
    )
    await connection.close()
    await asyncio.sleep(0.1)
    answers = await asyncio.gather(*(ada.get("/me") for _ in range(20)))
    assert {answer.status for answer in answers} == {200}


async def test_write_terminated_is_503_and_has_done_nothing(
    api: "Api", database: databases.Database
) -> None:
    ada = await person(api, "ada")
    acme = await ada.organisation()
    path = f"/orgs/{acme}/projects"
    async with locked(database, "app.projects") as connection:
        request = asyncio.create_task(ada.post(path, {"name": "Apollo"}))

        async def waits() -> bool:
            await connection.execute("select pg_stat_clear_snapshot()")
            return bool(await blocked(connection))

        await until(waits)
        for pid in await blocked(connection):
            await connection.execute("select pg_terminate_backend($1)", pid)
        assert is_unavailable(await request)
    assert (await ada.get(path)).body["total"] == 0


@pytest.mark.direct
async def test_statement_over_its_time_is_503_and_later_200(
    settings: Settings, aiohttp_client: MakeClient, database: databases.Database
) -> None:
    from tests.api.conftest import Api

    hasty = replace(settings, statement_timeout_ms=300)
    api = Api(await aiohttp_client(create_app(hasty)))
    ada = await person(api, "ada")
    path = f"/orgs/{await ada.organisation()}/projects"
    async with locked(database, "app.projects"):
        answers = await asyncio.gather(ada.get(path), ada.post(path, {"name": "n"}))
        assert all(is_unavailable(answer) for answer in answers)
        assert (await ada.get("/me")).status == 200
    assert (await ada.get(path)).body["total"] == 0


async def test_pool_exhausted_is_503_and_later_200(
    settings: Settings, aiohttp_client: MakeClient, database: databases.Database
) -> None:
    from tests.api.conftest import Api

    api = Api(await aiohttp_client(create_app(replace(settings, database_pool_size=1))))
    ada = await person(api, "ada")
    path = f"/orgs/{await ada.organisation()}/projects"
    api.database._lease_seconds = 0.2
    async with locked(database, "app.projects") as connection:
        request = await wait_for(ada, path, connection)
        answers = await asyncio.gather(*(ada.get("/me") for _ in range(5)), api.get("/readyz"))
        assert all(is_unavailable(answer) for answer in answers)
        assert (await api.get("/healthz")).status == 200
        await connection.execute("rollback")
        assert (await request).status == 200
    assert (await ada.get("/me")).status == 200


async def test_database_closed_to_connections_is_503_and_later_200(
    api: "Api", database: databases.Database
) -> None:
    ada = await person(api, "ada")
    admin = await asyncpg.connect(database.url("postgres").replace(database.name, "postgres"))
    await admin.execute(f"alter database {database.name} allow_connections false")
    await admin.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", database.name
    )
    await asyncio.sleep(0.1)
    answers = await asyncio.gather(ada.get("/me"), api.login(ada.email), api.get("/readyz"))
    assert all(is_unavailable(answer) for answer in answers)
    await admin.execute(f"alter database {database.name} allow_connections true")
    await admin.close()
    await until_ready(api)
    assert (await ada.get("/me")).status == 200


@pytest.mark.direct
async def test_database_read_only_is_503_for_writes_and_200_for_reads(
    api: "Api",
    database: databases.Database,
    aiohttp_client: MakeClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a standby, or in a failover."""
    ada = await person(api, "ada")
    acme = await ada.organisation()
    monkeypatch.setitem(SESSION, "default_transaction_read_only", "on")
    api = type(api)(await aiohttp_client(create_app(Settings(database_url=database.api_url))))
    ada = replace(ada, client=api.client)
    assert is_unavailable(await ada.post("/orgs", {"name": "Apex"}))
    assert is_unavailable(await api.login(ada.email))
    assert (await ada.get(f"/orgs/{acme}")).status == 200


async def test_settings_that_the_role_gave_itself_do_not_bind_the_api(
    api: "Api", database: databases.Database, aiohttp_client: MakeClient
) -> None:
    """As left behind by an injection: a role may always `alter role` itself."""
    ada = await person(api, "ada")
    acme = await ada.organisation()
    injected = await asyncpg.connect(database.api_url)
    for setting in (
        "default_transaction_isolation = 'serializable'",
        "default_transaction_read_only = on",
        "row_security = off",
        "transform_null_equals = on",
        "search_path = public",
        "statement_timeout = '1ms'",
        "transaction_timeout = '1ms'",
        "idle_session_timeout = '1ms'",
        "local_preload_libraries = 'nonexistent'",
        "restrict_nonsystem_relation_kind = 'view'",
        "exit_on_error = on",
    ):
        await injected.execute(f"alter role saas_api in database {database.name} set {setting}")
    await injected.close()
    api = type(api)(await aiohttp_client(create_app(Settings(database_url=database.api_url))))
    ada = replace(ada, client=api.client)
    assert (await api.get("/readyz")).status == 200
    assert (await ada.get(f"/orgs/{acme}")).status == 200
    assert (await ada.get(f"/orgs/{acme}/projects/{uuid.uuid4()}")).status == 404
    assert (await ada.post("/orgs", {"name": "Apex"})).status == 201
    assert (await api.login(ada.email)).status == 200


async def test_every_setting_of_bootstrap_is_sent_at_each_connection() -> None:
    names = re.findall(
        r"^alter role saas_api set (\w+)",
        (files.tree().sql / "bootstrap.sql").read_text(),
        re.MULTILINE,
    )
    assert names
    assert set(PLANNER) <= set(names) <= {*SESSION, "statement_timeout"}


@pytest.mark.parametrize(
    "spoil",
    [
        "revoke execute on function api.schema_version() from saas_api",
        "revoke usage on schema api from saas_api",
        "drop function api.schema_version()",
        "create or replace function api.schema_version() returns text"
        " language sql stable as $$ select (1 / 0)::text; $$",
    ],
)
async def test_readyz_whose_question_fails_is_503(
    api: "Api", database: databases.Database, spoil: str
) -> None:
    """Never 403 or 500: a probe knows two answers."""
    admin = await asyncpg.connect(database.admin_url)
    await admin.execute(spoil)
    await admin.close()
    answer = await api.get("/readyz")
    assert (answer.status, answer.problem) == (503, "not-ready")
