"""Requests through PgBouncer as the how-to sets it up; `--pgbouncer` runs all other tests so."""

import asyncio
import contextlib
import logging
import re
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api import doctor
from api.app import create_app
from api.database import PLANNER, SESSION, Database
from api.policies import databases
from api.settings import Settings
from tests import pooler
from tests.api.conftest import Api

installed = pytest.mark.skipif(
    pooler.program() is None, reason="no pgbouncer (Debian and Ubuntu: apt-get install pgbouncer)"
)
# One session of the server for all clients: whatever one leaves there, the next would see.
SHARED = {"default_pool_size": "1"}


@pytest.fixture
def direct(postgres: databases.Server) -> databases.Server:
    """The server itself."""
    return postgres.direct if isinstance(postgres, pooler.PooledServer) else postgres


@pytest.fixture(params=["kept", "sent each time"])
def database(
    request: pytest.FixtureRequest, direct: databases.Server, run_directory: Path
) -> Iterator[databases.Database]:
    """A database behind the pooler, which keeps prepared statements, or does not know of them."""
    settings = dict(SHARED)
    if pooler.keeps_prepared_statements():
        settings["max_prepared_statements"] = "200" if request.param == "kept" else "0"
    elif request.param == "kept":
        pytest.skip("PgBouncer before 1.21 keeps no prepared statements")
    with (
        pooler.pooled(
            direct, run_directory / f"pgbouncer-{uuid.uuid4().hex}", **settings
        ) as server,
        databases.clone(server, databases.MIGRATED) as database,
    ):
        yield database


@pytest.fixture
async def make_pool(database: databases.Database) -> AsyncIterator[Callable[..., Database]]:
    """Makes pools of the API's role, and closes them afterwards."""
    async with contextlib.AsyncExitStack() as stack:

        def make(**options: Any) -> Database:
            pool = Database(database.api_url, **options)
            stack.push_async_callback(pool.close)
            return pool

        yield make


@installed
async def test_processes_that_share_a_session_answer_right(
    database: databases.Database, aiohttp_client: Any
) -> None:
    settings = Settings(database_url=database.api_url, database_pool_size=3)
    one, other = [Api(await aiohttp_client(create_app(settings))) for _ in range(2)]
    ada, bob = await one.user("ada"), await other.user("bob")
    acme, apex = await ada.organisation(), await bob.organisation()
    made = await asyncio.gather(
        *(ada.post(f"/orgs/{acme}/projects", {"name": f"a{n}"}) for n in range(10)),
        *(bob.post(f"/orgs/{apex}/projects", {"name": f"b{n}"}) for n in range(10)),
        *(ada.get(f"/orgs/{apex}/projects") for _ in range(10)),
    )
    assert [answer.status for answer in made] == [201] * 20 + [404] * 10
    for caller, organisation, letter in ((ada, acme, "a"), (bob, apex, "b")):
        page = (await caller.get(f"/orgs/{organisation}/projects")).body
        assert {item["name"] for item in page["items"]} == {f"{letter}{n}" for n in range(10)}
    assert (await one.get("/readyz")).status == 200


@installed
async def test_statement_is_never_another_clients(make_pool: Callable[..., Database]) -> None:
    pools = [make_pool(size=1) for _ in range(4)]
    for _ in range(3):
        for number, pool in enumerate(pools):
            assert await pool.fetch_value(f"select {number}") == number
    left = "select count(*) from pg_catalog.pg_prepared_statements where name ~ '^saas_api_'"
    assert await pools[0].fetch_value(left) == 0


@installed
async def test_setting_that_the_pooler_left_out_is_warned_of(
    make_pool: Callable[..., Database], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    await make_pool(role_check=doctor.ROLE_FAULTS).fetch_value("select 1")
    assert caplog.messages == []
    hasty = make_pool(role_check=doctor.ROLE_FAULTS, statement_timeout_ms=1234)
    await hasty.fetch_value("select 1")
    (message,) = caplog.messages
    assert message.endswith("run-behind-pgbouncer.md): statement_timeout")


@installed
def test_tests_pooler_is_the_documented_one(direct: databases.Server, tmp_path: Path) -> None:
    said = pooler.documented()
    used = pooler.configured(direct, tmp_path)
    known = set(said["pgbouncer"]) - ({"max_prepared_statements"} - set(used["pgbouncer"]))
    assert said["pgbouncer"]["listen_port"] == pooler.PORT
    assert {
        name
        for name in known | set(used["pgbouncer"])
        if said["pgbouncer"].get(name) != used["pgbouncer"].get(name)
    } == pooler.OWN_PLACE | pooler.OWN_TLS
    own = re.compile(r"\b(host|port|dbname)=\S+ ?")
    assert own.sub("", used["databases"]["*"]) == own.sub("", said["databases"]["saas"])


def test_documented_settings_are_those_that_the_api_sends() -> None:
    ini = pooler.documented()
    said = dict(re.findall(r"set (\w+) = ([^;]+?)(?:;|'$)", ini["databases"]["saas"]))
    sent = {**SESSION, "statement_timeout": str(Settings().statement_timeout_ms)}
    del sent["timezone"]  # PgBouncer itself keeps it for each client
    assert set(re.split(r",\s*", ini["pgbouncer"]["ignore_startup_parameters"])) == set(sent)
    del sent["local_preload_libraries"]  # read before a connect_query could set it
    assert {name: value.strip("'") for name, value in said.items()} | PLANNER == sent
