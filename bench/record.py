"""What the benches have alike: what a result says of its origin, and how it is kept and shown."""

import contextlib
import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from api import embedded
from bench import load, report
from bench.stage import NODE, ROOT


def origin(command: str, arguments: str) -> dict[str, Any]:
    """When, by what and on what a result was made."""
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": f'make {command} ARGS="{arguments}"',
        "machine": machine(),
    }


def save(result: dict[str, Any], folder: Path, name: str) -> Path:
    """Write a result; the file."""
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.json"
    file.write_text(json.dumps(result, indent=1) + "\n")
    return file


def machine() -> dict[str, Any]:
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


def show(tables: Iterable[report.Table]) -> None:
    """Print them."""
    console = Console()
    for title, header, rows in tables:
        table = Table(title=title, title_justify="left")
        for number, name in enumerate(header):
            table.add_column(name, justify="right" if number else "left")
        for row in rows:
            table.add_row(*row)
        console.print(table)
