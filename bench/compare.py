"""
The product against what users would pick instead, in turns on one machine: `make bench`.

A pair is a run of the product and a run of a peer, one right after the other, and its ratio is that
pair's own: what else the machine does meets both. Which goes first changes from round to round.
Shown are medians. Writes bench/results/compare.json, which bench/report.py reads, and the plot.
"""

import argparse
import contextlib
import importlib.metadata
import json
import platform
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from api import embedded
from api.failure import Failure
from bench import load, plot, report
from bench.stage import (
    ALL,
    NODE,
    OURS,
    PEER_LIST,
    RATED,
    ROOT,
    SETTINGS,
    Peer,
    Running,
    memory_bytes,
    serving,
    stage,
)

RESULTS = ROOT / "bench" / "results"
WARM_UP_SECONDS = 1
LOGIN_SECONDS = 5  # some ten of them


def main() -> int:
    """Measure, write, print; exit status 1 with one line when something did not go as it must."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.strip().split("\n")[0])
    parser.add_argument("--seconds", type=int, default=3, help="length of a run (3)")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of each kind (5)")
    parser.add_argument(
        "--peers",
        type=_peers,
        default=PEER_LIST,
        help=f"some of {','.join(peer.name for peer in PEER_LIST)} (all)",
    )
    parser.add_argument("--note", default="", help="what a reader of the figures should know")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder (bench/results)")
    options = parser.parse_args()
    if options.output == RESULTS and len(options.peers) < len(PEER_LIST):
        parser.error("bench/results has all peers, and the documents their figures: say --output")
    try:
        load.find_wrk()
        result = _measure(options.seconds, options.rounds, options.peers) | {"note": options.note}
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    options.output.mkdir(exist_ok=True)
    file = options.output / "compare.json"
    file.write_text(json.dumps(result, indent=1) + "\n")
    plot.draw(result, file.with_suffix(".svg"))
    show(report.tables(result))
    print(f"written: {file}, {file.with_suffix('.svg')}")
    return 0


def _peers(text: str) -> list[Peer]:
    """The peers of these names. Errors: argparse's own, for a name that is none."""
    names = text.split(",")
    if unknown := set(names) - {peer.name for peer in PEER_LIST}:
        raise argparse.ArgumentTypeError(f"no peer {', '.join(sorted(unknown))}")
    return [ALL[name] for name in names]


def _measure(seconds: int, rounds: int, peers: list[Peer]) -> dict[str, Any]:
    """All rounds; what it returns is the file's content."""
    pairs: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(stage())
        running: dict[str, Running] = {}
        lengths: dict[str, dict[str, int]] = {}
        memory: dict[str, int] = {}
        for peer in (OURS, *peers):
            if peer.command:
                body = load.ask(made, running["ours"], "read")[1].decode() if running else ""
                server = stack.enter_context(serving(made, peer, BENCH_BODY=body))
                running[peer.name] = server
                lengths[peer.name] = load.check(made, server)
                memory[peer.name] = memory_bytes(server.process)
        plan = [
            (endpoint, peer, theirs)
            for endpoint in (*RATED, "login")
            for peer in peers
            if (theirs := _counterpart(endpoint, peer))
        ]
        progress = stack.enter_context(Progress())
        task = progress.add_task("", total=(rounds + 1) * len(plan))
        for number in range(rounds + 1):  # the first of them warms up
            for endpoint, peer, theirs in plan:
                length = seconds if number else WARM_UP_SECONDS
                if endpoint == "login":
                    length = max(length, LOGIN_SECONDS)
                progress.update(task, description=f"{endpoint}, {peer.name}")
                order = [(OURS, endpoint), (peer, theirs)]
                records = {
                    each.name: load.run(
                        made,
                        each,
                        running.get(each.name),
                        asked,
                        length,
                        lengths.get(each.name, {}).get(asked),
                    ).record()
                    for each, asked in (order if number % 2 else reversed(order))
                }
                if number:
                    pair = {"round": number, "endpoint": endpoint, "peer": peer.name}
                    ours, their_run = records["ours"], records[peer.name]
                    pairs.append({**pair, "ours": ours, "theirs": their_run})
                progress.advance(task)
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": f'make bench ARGS="--seconds {seconds} --rounds {rounds}"',
        "machine": machine(),
        "settings": SETTINGS | {"connections": load.CONNECTIONS, "seconds": seconds},
        "memory_bytes_at_rest": memory,
        "titles": {each.name: each.title for each in (OURS, *peers)},
        "pairs": pairs,
    }


def _counterpart(endpoint: str, peer: Peer) -> str | None:
    """What a peer is asked beside the product's endpoint; a peer without keys, a plain create."""
    if endpoint in peer.endpoints:
        return endpoint
    if endpoint == "create_idempotent" and "create" in peer.endpoints:
        return "create"
    return None


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


if __name__ == "__main__":
    sys.exit(main())
