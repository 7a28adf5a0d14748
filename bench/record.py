"""What the benches have alike: their command line, and what becomes of a result."""

import argparse
import contextlib
import importlib.metadata
import json
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from api import embedded
from api.failure import Failure
from bench import load, report
from bench.report import RESULTS
from bench.stage import NODE, ROOT


def command(verb: str, **numbers: tuple[int, str]) -> argparse.ArgumentParser:
    """The options of a verb of make; `numbers` are its own, with their defaults and meanings."""
    parser = argparse.ArgumentParser(prog=f"make {verb}")
    for name, (default, meaning) in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{meaning} ({default})")
    parser.add_argument("--note", default="", help="what a reader of the figures should know")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder (bench/results)")
    return parser


def run(
    parser: argparse.ArgumentParser,
    name: str,
    measure: Callable[[argparse.Namespace], dict[str, Any]],
    tables: Callable[[dict[str, Any]], Iterable[report.Table]],
    *,
    draw: Callable[[dict[str, Any], Path], None] | None = None,
    fault: Callable[[dict[str, Any]], str] = lambda _result: "",
) -> int:
    """
    Measure, write `name`.json with its origin (and `name`.svg), print the tables; the exit status.

    It is 1, with one line, when something did not go as it must or the result has a `fault`.
    """
    options = parser.parse_args()
    try:
        result = _origin(parser.prog, options) | measure(options) | {"note": options.note}
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    options.output.mkdir(exist_ok=True)
    file = options.output / f"{name}.json"
    file.write_text(json.dumps(result, indent=1) + "\n")
    if draw is not None:
        draw(result, file.with_suffix(".svg"))
    _show(tables(result))
    print(f"written: {file}")
    if found := fault(result):
        print(found, file=sys.stderr)
    return int(bool(found))


def _origin(verb: str, options: argparse.Namespace) -> dict[str, Any]:
    """When, by what and on what a result was made."""
    numbers = {name: value for name, value in vars(options).items() if isinstance(value, int)}
    arguments = " ".join(f"--{name} {value}" for name, value in numbers.items())
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": f'{verb} ARGS="{arguments}"',
        "machine": _machine(),
    }


def _machine() -> dict[str, Any]:
    """What the figures were taken on."""
    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line for line in lines if line.startswith("model name")).split(": ", 1)[1]
    packages = ("aiohttp", "asyncpg", "uvloop", "fastapi", "sqlalchemy", "uvicorn")
    locked = json.loads((ROOT / "bench" / "postgraphile" / "package-lock.json").read_text())
    return {
        "cpu": cpu,
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "versions": {
            "saas-api": _said("git", "describe", "--always", "--dirty"),
            "python": platform.python_version(),
            "postgresql": _said(str(embedded.program("postgres")), "--version").split()[-1],
            "node": _said(str(NODE), "--version").removeprefix("v"),
            "postgraphile": locked["packages"]["node_modules/postgraphile"]["version"],
            "wrk": _said(load.find_wrk(), "--version").removeprefix("wrk ").split(" [")[0],
            **{name: importlib.metadata.version(name) for name in packages},
        },
    }


def _said(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().split("\n")[0]


def _show(tables: Iterable[report.Table]) -> None:
    """Print them."""
    console = Console()
    for title, header, rows in tables:
        table = Table(title=title, title_justify="left")
        for number, name in enumerate(header):
            table.add_column(name, justify="right" if number else "left")
        for row in rows:
            table.add_row(*row)
        console.print(table)
