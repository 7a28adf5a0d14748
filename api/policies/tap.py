"""
Run a pgTAP file, and judge what it says.

By psql, as pg_prove does, in a database that has pgTAP and tests/sql/helpers.sql.
"""

import re
import subprocess
from pathlib import Path

from api import embedded, urls


class TapFailure(Exception):
    """A file's complaints, as they are to be shown."""


def run_file(path: Path, url: str) -> None:
    """Run a file by psql. Errors: TapFailure unless all it planned to test came out ok."""
    if not re.search(r"\brollback\s*;\s*$", path.read_text()):
        raise TapFailure(f"{path.name} must end with rollback;")
    quiet = urls.replace(url, options="-c client_min_messages=warning")
    result = subprocess.run(
        [embedded.program("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-f", path, quiet],
        capture_output=True,
        text=True,
        check=False,
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
