"""
Each tests/sql/**/*.sql as one test of pytest.

A file is plain SQL: `begin;`, `select plan(n);`, tests, `select * from finish();`, `rollback;`.
It is run by psql, as pg_prove does, in a database that has pgTAP and tests/sql/helpers.sql. All
files of a worker share that database, since each rolls back what it did.
"""

import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from api import embedded
from api.failure import Failure
from tests import databases

URL = pytest.StashKey[str]()


class TapFailure(Exception):
    """A file's complaints, as they are to be shown."""


class SqlFile(pytest.File):
    """A pgTAP file."""

    def collect(self) -> Iterable[pytest.Item]:
        """The one test, named after the file."""
        yield SqlItem.from_parent(self, name=self.path.stem)


class SqlItem(pytest.Item):
    """Runs the file."""

    def runtest(self) -> None:
        """Run, and raise TapFailure with the lines that matter."""
        run_file(self.path, _url(self.config))

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """The complaints alone, without a Python traceback."""
        if isinstance(excinfo.value, TapFailure | Failure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the test is."""
        return self.path, 0, self.path.name


def _url(config: pytest.Config) -> str:
    """The superuser's URL of the worker's pgTAP database; the run's end removes it."""
    if URL not in config.stash:
        directory = config.stash[databases.RUN]
        server = databases.start(directory, databases.ADMIN_URL)
        databases.ensure_pgtap(directory, server)
        config.stash[URL] = databases.copy(server, databases.PGTAP).admin_url
    return config.stash[URL]


def run_file(path: Path, url: str) -> None:
    """Run a file by psql. Errors: TapFailure unless all it planned to test came out ok."""
    if not re.search(r"\brollback\s*;\s*$", path.read_text()):
        raise TapFailure(f"{path.name} must end with rollback;")
    result = subprocess.run(
        [embedded.program("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-f", path, url],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PGOPTIONS": "--client-min-messages=warning"},
    )
    if complaints := judge(result.stdout, result.stderr, result.returncode):
        raise TapFailure("\n".join([f"{path.name}:", *complaints]))


def judge(output: str, errors: str, status: int) -> list[str]:
    """What is wrong with a run's TAP, line by line; nothing if all is well."""
    lines = output.splitlines()
    tests = [line for line in lines if re.match(r"(not )?ok\b", line)]
    plans = [line for line in lines if re.match(r"1\.\.\d+", line)]
    wrong = _failing(lines)
    if not plans:
        wrong.append("there is no plan")
    elif (planned := int(plans[0][3:].split()[0])) != len(tests):
        wrong.append(f"planned {planned} tests, ran {len(tests)}")
    if not tests:
        wrong.append("there are no tests")
    if status != 0 or "ERROR:" in errors:
        wrong += errors.strip().splitlines() or [f"psql ended with status {status}"]
    return wrong


def _failing(lines: list[str]) -> list[str]:
    """The lines `not ok`, each with the diagnostics that follow it; a TODO is not one."""
    shown: list[str] = []
    failing = False
    for line in lines:
        if re.match(r"not ok\b(?!.*# TODO)", line) or line.startswith("Bail out!"):
            failing = True
        elif not line.startswith("#"):
            failing = False
        if failing:
            shown.append(line)
    return shown
