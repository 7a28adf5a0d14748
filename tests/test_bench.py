"""
The bench starts, and what it measures answers alike: what would otherwise be seen at its next run.

Only with the peers that need no packages of their own.
"""

import shutil
from collections.abc import Iterator

import pytest

from bench import load
from bench.stage import ALL, Stage, serving, stage


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    """The bench's server and data set."""
    with stage({"fsync": "off"}) as running:
        yield running


@pytest.mark.parametrize("name", ["ours", "textbook"])
def test_peer_answers_as_the_data_set_has_it(made: Stage, name: str) -> None:
    peer = ALL[name]
    with serving(made, peer) as running:
        assert load.check(made, running).keys() == peer.endpoints - {"mix"}


@pytest.mark.parametrize("endpoint", sorted(load.PGBENCH))
def test_pgbench_calls_what_the_product_calls(made: Stage, endpoint: str) -> None:
    assert load.run(made, ALL["pgbench"], None, endpoint, 1).requests > 0


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_wrk_creates_with_a_key_of_its_own_each_time(made: Stage) -> None:
    peer = ALL["ours"]
    with serving(made, peer) as running:
        assert load.run(made, peer, running, "create_idempotent", 1).requests > 0
