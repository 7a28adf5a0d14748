"""The checkout, and a server as a newcomer has it."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs import newcomer


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def server() -> Iterator[newcomer.Server]:
    """
    `saas-api serve` in an empty folder, on its own embedded PostgreSQL, all by default.

    Not in pytest's folder, whose parent every run of pytest closes to PostgreSQL's own user.
    """
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("SAAS_API_", "PG"))}
    with (
        tempfile.TemporaryDirectory(prefix="saas-api-docs-") as folder,
        newcomer.serve(Path(folder), environ) as running,
    ):
        yield running
