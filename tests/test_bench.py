"""
The bench starts, and what it measures answers alike: what would otherwise be seen at its next run.

Only with the peers that need no packages of their own.
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from aiohttp import web
from prometheus_client import values
from rich.progress import Progress

from api.settings import Settings
from bench import check, growth, isolation, load
from bench.growth import DataSet
from bench.stage import ALL, OURS, READING, Stage, bare, organisation_id, serving, stage


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    """The bench's server and data set."""
    with stage({"fsync": "off"}) as running:
        yield running


@pytest.mark.parametrize("name", ["ours", "textbook"])
def test_peer_answers_as_the_data_set_has_it(made: Stage, name: str) -> None:
    peer = ALL[name]
    with serving(made, peer) as running:
        assert load.check(made, running).keys() == peer.endpoints


@pytest.mark.parametrize("endpoint", sorted(load.PGBENCH))
def test_pgbench_calls_what_the_product_calls(made: Stage, endpoint: str) -> None:
    assert load.run(made, ALL["pgbench"], None, endpoint, 1).requests > 0


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_wrk_creates_with_a_key_of_its_own_each_time(made: Stage) -> None:
    peer = ALL["ours"]
    with serving(made, peer) as running:
        assert load.run(made, peer, running, "create_idempotent", 1).requests > 0


def test_data_set_that_grows_is_answered_as_it_was_loaded() -> None:
    data_set = DataSet(tenants=2, large=300)
    with bare(growth.SETTINGS) as made:
        growth.load(made, data_set, Progress(disable=True))
        peer = replace(OURS, name="growth", database=data_set.database)
        with psycopg.connect(made.server.url("postgres", data_set.database)) as admin:
            rows = admin.execute(
                "select (select count(*) from app.projects),"
                " (select count(*) from audit.events where action = 'project.created')"
            ).fetchone()
        with serving(made, peer) as running, growth.asking(made, data_set, running) as asked:
            asked.check()
            for endpoint in asked.endpoints:
                assert asked.batch("large", endpoint) > 0
    assert rows == (500, 500)


@pytest.fixture(scope="module")
def isolated() -> Iterator[Stage]:
    """The bench's server, data set, and copies without isolation."""
    with isolation.isolated() as running:
        yield running


@pytest.mark.parametrize(
    ("variant", "sealed", "walled"),
    [("ours", True, True), ("unsealed", False, True), ("trusting", False, False)],
)
def test_copy_is_without_the_isolation_it_is_to_be_without(
    isolated: Stage, variant: str, *, sealed: bool, walled: bool
) -> None:
    peer = next(each for each in isolation.VARIANTS if each.name == variant)
    with psycopg.connect(isolated.url(peer)) as api:
        api.execute(
            "select api.get_organisation(%s, 'bench', %s)",
            [isolated.digest, organisation_id(READING)],
        )
        found = api.execute(
            "select coalesce(current_setting('app.seal', true), '') <> '',"
            " count(distinct p.organisation_id) = 1 from api.projects as p"
        ).fetchone()
    assert found == (sealed, walled)


@pytest.mark.parametrize("variant", [each.name for each in isolation.VARIANTS])
def test_copy_without_isolation_answers_alike(isolated: Stage, variant: str) -> None:
    peer = next(each for each in isolation.VARIANTS if each.name == variant)
    with serving(isolated, peer) as running:
        assert load.check(isolated, running).keys() == peer.endpoints


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> check.Server:
    """The server of bench-check, which needs no database to start."""
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    return check.Server(Settings(database_url="postgresql://u@127.0.0.1:1/d"), tmp_path)


def test_check_that_fails_while_it_serves_ends(served: check.Server) -> None:
    with pytest.raises(ZeroDivisionError), served.serving():
        raise ZeroDivisionError
    assert not served._thread.is_alive()


def test_check_whose_server_does_not_start_ends(
    served: check.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.TCPSite, "start", lambda _site: 1 / 0)
    with pytest.raises(ZeroDivisionError), served.serving():
        pass
