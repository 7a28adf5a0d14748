"""One stage for all attempts of a worker: each proves that it left the stage as it was."""

import contextlib
from collections.abc import Iterator

import psycopg
import pytest

from api.embedded import EmbeddedServer
from api.policies import databases
from tests.break_in.stage import Stage, build


@pytest.fixture(scope="session")
def stage(postgres: EmbeddedServer) -> Iterator[Stage]:
    """A database of its own, so that no other test's rows are taken for an attempt's."""
    with (
        databases.clone(postgres, databases.MIGRATED) as database,
        contextlib.closing(psycopg.connect(database.admin_url, autocommit=True)) as judge,
    ):
        yield build(database.api_url, judge)
