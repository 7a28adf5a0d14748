"""
Each tests/sql/**/*.sql as one test of pytest.

A file is plain SQL: `begin;`, `select plan(n);`, tests, `select * from finish();`, `rollback;`.
It is run by psql (api/policies/tap.py) in a database that has pgTAP and tests/sql/helpers.sql. All
files of a worker share that database, since each rolls back what it did.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from api.failure import Failure
from api.policies import databases, tap

# In the configuration: the run's folder, and the URL of the worker's pgTAP database.
RUN = pytest.StashKey[Path]()
URL = pytest.StashKey[str]()

ADMIN_URL = os.environ.get("SAAS_API_TEST_ADMIN_URL")


class SqlFile(pytest.File):
    """A pgTAP file."""

    def collect(self) -> Iterable[pytest.Item]:
        """The one test, named after the file."""
        yield SqlItem.from_parent(self, name=self.path.stem)


class SqlItem(pytest.Item):
    """Runs the file."""

    def runtest(self) -> None:
        """Run, and raise TapFailure with the lines that matter."""
        tap.run_file(self.path, _url(self.config))

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """The complaints alone, without a Python traceback."""
        if isinstance(excinfo.value, tap.TapFailure | Failure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the test is."""
        return self.path, 0, self.path.name


def _url(config: pytest.Config) -> str:
    """The superuser's URL of the worker's pgTAP database; the run's end removes it."""
    if URL not in config.stash:
        directory = config.stash[RUN]
        server = databases.start(directory, ADMIN_URL)
        databases.ensure_pgtap(directory, server)
        config.stash[URL] = databases.copy(server, databases.PGTAP).admin_url
    return config.stash[URL]
