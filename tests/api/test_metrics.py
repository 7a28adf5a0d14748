"""/metrics: the families of the contract, what makes them count, and what cannot."""

import asyncio
import os
import re
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import asyncpg  # type: ignore[import-untyped]
import psycopg
import pytest
from prometheus_client import values
from prometheus_client.parser import text_string_to_metric_families

from api import app as application
from api.app import create_app
from api.database import DatabaseAway, PoolExhausted
from api.metrics import METHODS, Metrics, forget_worker
from api.problems import from_exception
from api.routes import routes
from api.settings import Settings
from tests.serving import serving

if TYPE_CHECKING:
    from tests.api.conftest import Api, Caller

FAMILIES = {
    "saas_api_requests_total": {"method", "route", "status"},
    "saas_api_request_duration_seconds": {"method", "route"},
    "saas_api_auth_attempts_total": {"outcome"},
    "saas_api_organisations_created_total": set(),
    "saas_api_projects_created_total": set(),
    "saas_api_api_keys_created_total": set(),
    "saas_api_api_keys_revoked_total": set(),
    "saas_api_audit_events_recorded_total": set(),
    "saas_api_idempotency_replays_total": set(),
    "saas_api_idempotency_conflicts_total": set(),
    "saas_api_database_pool_connections": {"state"},
    "saas_api_database_errors_total": {"sqlstate_class"},
}
TEMPLATES = {route.path for route in routes(Settings())}
TOKEN = "a metrics token"

Series = Mapping[str, float]


def series(text: str) -> Series:
    """Every sample by its name and labels as they are written, but for buckets."""
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines if "_bucket{" not in name}


def families(text: str) -> dict[str, set[str]]:
    """The label names of each family, as it is named in its HELP line."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        name = family.name + ("_total" if family.type == "counter" else "")
        found[name] = {label for sample in family.samples for label in sample.labels} - {"le"}
    return found


async def scrape(api: "Caller", **headers: str) -> Series:
    return series(await text_of(api, **headers))


async def text_of(api: "Caller", **headers: str) -> str:
    async with api.client.get("/metrics", headers=headers) as response:
        assert response.status == 200
        return await response.text()


def grown(before: Series, after: Series) -> dict[str, float]:
    """What counted in between, but for requests and their durations."""
    return {
        name.removeprefix("saas_api_").replace("_total", ""): after[name] - before.get(name, 0)
        for name in after
        if after[name] != before.get(name, 0)
        and not name.startswith(("saas_api_request", "saas_api_database_pool"))
    }


async def test_first_scrape_has_every_family_and_its_labels(offline: "Api") -> None:
    async with offline.client.get("/metrics") as response:
        text = await response.text()
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert families(text) == FAMILIES
    assert all(f"# HELP {name} " in text and f"# TYPE {name} " in text for name in FAMILIES)


async def test_request_is_counted_and_timed_by_its_template(api: "Api") -> None:
    ada = await api.user("ada")
    acme = await ada.organisation()
    for _ in range(3):
        await ada.get(f"/orgs/{acme}/projects")
    found = await scrape(api)
    labels = 'method="GET",route="/orgs/{organisation_id}/projects"'
    assert found[f'saas_api_requests_total{{{labels},status="200"}}'] == 3
    assert found[f"saas_api_request_duration_seconds_count{{{labels}}}"] == 3
    assert 0 < found[f"saas_api_request_duration_seconds_sum{{{labels}}}"] < 3


async def test_scrape_is_itself_counted_once_answered(offline: "Api") -> None:
    name = 'saas_api_requests_total{method="GET",route="/metrics",status="200"}'
    assert [(await scrape(offline))[name] for _ in range(3)] == [0, 1, 2]


async def test_many_scrapes_at_once_are_each_as_fresh_as_their_request(offline: "Api") -> None:
    await offline.get("/healthz")
    name = 'saas_api_requests_total{method="GET",route="/healthz",status="200"}'
    found = await asyncio.gather(*(scrape(offline) for _ in range(20)))
    assert {each[name] for each in found} == {1}


@pytest.mark.parametrize("token", [TOKEN, "töken"])
async def test_metrics_token_opens_only_for_its_bearer(
    aiohttp_client: Any, database_url: str, token: str
) -> None:
    client = await aiohttp_client(
        create_app(Settings(database_url=database_url, metrics_token=token))
    )
    tries = {
        f"Bearer {token}": 200,
        f"bearer  {token} ": 200,
        f"Bearer {token}x": 401,
        f"Bearer {token[:-1]}": 401,
        f"Basic {token}": 401,
        "Bearer": 401,
        "Bearer \udcff": 401,
        token: 401,
        "": 401,
    }
    for authorization, status in tries.items():
        headers = {"Authorization": authorization} if authorization else {}
        async with client.get("/metrics", headers=headers) as response:
            assert (authorization, response.status) == (authorization, status)
            if status == 401:
                assert response.headers["WWW-Authenticate"] == "Bearer"
                assert "saas_api_" not in await response.text()


async def test_metrics_without_a_token_asks_for_none(offline: "Api") -> None:
    assert await scrape(offline, Authorization="Bearer whatever")


async def test_flood_of_invented_paths_methods_and_ids_makes_no_new_series(
    offline: "Api",
) -> None:
    await offline.get("/nowhere")
    await offline.send("PROPFIND", "/orgs")
    await offline.get("/orgs/first")
    before = await text_of(offline)
    for number in range(50):
        await offline.get(f"/nowhere-{number}", secret=f"ada{number}@example.com")
        await offline.get(f"/orgs/{number}")
        await offline.send(("PURGE", "REPORT", "MKCOL", "SEARCH")[number % 4], "/orgs")
    after = await text_of(offline)
    assert set(series(before)) == set(series(after))
    assert not re.search(r"nowhere|PROPFIND|PURGE|REPORT|MKCOL|SEARCH|ada\d", after)
    found = series(after)
    assert found['saas_api_requests_total{method="GET",route="unmatched",status="404"}'] == 51
    assert found['saas_api_requests_total{method="other",route="unmatched",status="405"}'] == 51
    for family in text_string_to_metric_families(after):
        for sample in family.samples:
            assert sample.labels.get("method", "GET") in METHODS | {"other"}
            assert sample.labels.get("route", "/me") in TEMPLATES | {"unmatched"}


async def test_methods_that_no_parser_lets_through_are_other_too() -> None:
    metrics = Metrics()
    for number in range(1000):
        metrics.count_request(f"VERB{number}", None, 405, 0.001)
    found = series((await metrics.exposition()).decode())
    assert found['saas_api_requests_total{method="other",route="unmatched",status="405"}'] == 1000
    assert "VERB" not in " ".join(found)


async def test_logins_count_by_outcome(api: "Api") -> None:
    await api.register("ada@example.com")
    before = await scrape(api)
    await api.login("ada@example.com")
    for _ in range(10):
        await api.login("ada@example.com", "wrong password")
    statuses = [(await api.login("ada@example.com")).status for _ in range(2)]
    assert statuses == [429, 429]
    assert grown(before, await scrape(api)) == {
        'auth_attempts{outcome="success"}': 1,
        'auth_attempts{outcome="failure"}': 10,
        'auth_attempts{outcome="throttled"}': 2,
        "audit_events_recorded": 11,
    }


async def test_work_counts_once_and_replays_and_conflicts_apart(api: "Api") -> None:
    ada = await api.user("ada")
    acme = await ada.organisation()
    before = await scrape(api)

    async def post(path: str, name: str) -> Any:
        return await ada.send(
            "POST", path, json={"name": name}, headers={"Idempotency-Key": f"key-of{path[-5:]}"}
        )

    paths = ["/orgs", f"/orgs/{acme}/projects", f"/orgs/{acme}/api-keys"]
    for path in paths:
        statuses = [(await post(path, name)).status for name in ("One", "One", "Other")]
        assert statuses == [201, 201, 409]
    assert grown(before, await scrape(api)) == {
        "organisations_created": 1,
        "projects_created": 1,
        "api_keys_created": 1,
        "idempotency_replays": 3,
        "idempotency_conflicts": 3,
        "audit_events_recorded": 4,  # an organisation and its first owner, a project, a key
        'database_errors{sqlstate_class="SA"}': 3,
    }


async def test_revoking_twice_counts_once(api: "Api") -> None:
    ada = await api.user("ada")
    acme = await ada.organisation()
    key = (await ada.post(f"/orgs/{acme}/api-keys", {"name": "deploy"})).body["api_key_id"]
    before = await scrape(api)
    for _ in range(2):
        assert (await ada.delete(f"/orgs/{acme}/api-keys/{key}")).status == 204
    assert grown(before, await scrape(api)) == {"api_keys_revoked": 1, "audit_events_recorded": 1}


async def test_audit_events_counted_are_those_in_the_database(api: "Api", database: Any) -> None:
    ada, bob = await api.user("ada"), await api.user("bob")
    await api.login("nobody@example.com")
    await api.register("ada@example.com")  # taken: nothing is written
    acme = await ada.organisation()
    await ada.add(acme, bob, "viewer")
    member, project = f"/orgs/{acme}/members/{bob.user_id}", await ada.project(acme)
    await ada.patch(member, {"role": "member"})
    await ada.patch(member, {"role": "member"})  # changes nothing
    await ada.patch(f"/orgs/{acme}", {"name": "Acme Ltd"})
    await ada.patch(f"/orgs/{acme}/projects/{project}", {"status": "archived"})
    await bob.patch(f"/orgs/{acme}", {"name": "Mine"})  # refused
    await ada.delete(f"/orgs/{acme}/projects/{project}")
    await ada.delete(member)
    with psycopg.connect(database.admin_url) as connection:
        row = connection.execute("select count(*) from audit.events").fetchone()
    assert row is not None
    assert row[0] > 10
    assert (await scrape(api))["saas_api_audit_events_recorded_total"] == row[0]


async def test_pool_gauge_shows_the_connections(api: "Api") -> None:
    await api.get("/readyz")
    found = await scrape(api)
    assert found['saas_api_database_pool_connections{state="idle"}'] == 1
    assert found['saas_api_database_pool_connections{state="busy"}'] == 0


async def test_database_away_counts_as_class_08(offline: "Api") -> None:
    assert (await offline.get("/readyz")).status == 503
    found = await scrape(offline)
    assert found['saas_api_database_errors_total{sqlstate_class="08"}'] == 1


@pytest.mark.parametrize(
    ("error", "label"),
    [
        (PoolExhausted(), "pool"),
        (DatabaseAway(), "08"),
        (asyncpg.QueryCanceledError(), "57"),
        (asyncpg.UniqueViolationError(), "23"),
        (asyncpg.PostgresError(), "other"),
        (asyncpg.ExternalRoutineError(), "other"),
        (ValueError(), None),
    ],
)
async def test_database_errors_count_by_class(error: Exception, label: str | None) -> None:
    metrics = Metrics()
    metrics.count_failure(error, from_exception(error))
    counted = {
        name: value
        for name, value in series((await metrics.exposition()).decode()).items()
        if value and "database_errors" in name
    }
    expected = {f'saas_api_database_errors_total{{sqlstate_class="{label}"}}': 1.0}
    assert counted == (expected if label else {})


async def test_files_of_ended_workers_keep_counts_and_lose_gauges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    for pid in (101, 102):
        monkeypatch.setattr(os, "getpid", lambda pid=pid: pid)
        worker = Metrics([("GET", "/me")], directory=tmp_path)
        for _ in range(3):
            worker.count_request("GET", "/me", 200, 0.003)
        worker.show_pool({"idle": 2, "busy": 1})
        worker.close()
    text = (await worker.exposition()).decode()
    assert families(text) == FAMILIES
    forget_worker(101, tmp_path)
    after = series((await worker.exposition()).decode())
    assert series(text)['saas_api_database_pool_connections{state="idle"}'] == 4
    assert after['saas_api_database_pool_connections{state="idle"}'] == 2
    assert after['saas_api_requests_total{method="GET",route="/me",status="200"}'] == 6
    count = 'saas_api_request_duration_seconds_count{method="GET",route="/me"}'
    assert after[count] == 6


def shared(temporary: Path) -> list[Path]:
    """The directories of a server that its workers share."""
    return list(temporary.glob("saas-api-metrics-*"))


def gauges(temporary: Path) -> set[int]:
    """The processes that have gauges there."""
    return {int(path.stem.split("_")[2]) for path in temporary.glob("*/gauge_*.db")}


async def until(holds: Callable[[], bool]) -> None:
    """Wait, but not for ever, until something holds."""
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_two_workers_are_counted_together_and_a_dead_one_stays_counted(
    database_url: str, tmp_path: Path
) -> None:
    healthz = 'saas_api_requests_total{method="GET",route="/healthz",status="200"}'
    idle = 'saas_api_database_pool_connections{state="idle"}'

    with serving(database_url, tmp_path, SAAS_API_WORKERS="2") as server:

        async def get(path: str) -> str:
            connector = aiohttp.TCPConnector(force_close=True)
            async with (
                aiohttp.ClientSession(connector=connector) as session,
                session.get(server.url + path) as response,
            ):
                assert response.status == 200
                return await response.text()

        await until(lambda: len(gauges(tmp_path)) == 2)
        for _ in range(5):
            await asyncio.gather(*(get("/readyz") for _ in range(4)))
        for _ in range(40):
            await get("/healthz")
        scrapes = [series(await get("/metrics")) for _ in range(10)]
        assert families(await get("/metrics")) == FAMILIES
        assert {found[healthz] for found in scrapes} == {40}

        killed = min(gauges(tmp_path))
        os.kill(killed, signal.SIGKILL)
        await until(lambda: killed not in gauges(tmp_path))
        found = series(await get("/metrics"))
        assert found[healthz] == 40
        assert found[idle] <= scrapes[-1][idle]

        server.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(server.process.wait, 20) == 0
        assert [path.name for path in shared(tmp_path)] == []


async def test_pool_is_shown_again_after_its_figures_could_not_be_written(
    aiohttp_client: Any,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shown: list[dict[str, int]] = []

    def show_pool(_metrics: Metrics, connections: dict[str, int]) -> None:
        shown.append(connections)
        if len(shown) == 1:
            raise OSError(28, "No space left on device")

    app = create_app(Settings(database_url=database_url))
    monkeypatch.setattr(application, "SHOW_POOL_SECONDS", 0.01)
    monkeypatch.setattr(Metrics, "show_pool", show_pool)
    await aiohttp_client(app)
    async with asyncio.timeout(5):
        while len(shown) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert "the pool's figures are not shown" in caplog.text
    assert "No space left on device" in caplog.text
    caplog.clear()
