"""
A million requests to one worker, and whether its memory stays flat: `make bench-soak`.

Runs of a few seconds, of one endpoint after another; after each, the resident memory of the worker
and the largest private memory of a PostgreSQL process of its are noted. Flat: the median of the
last tenth of the requests is at most LIMIT over that of the second tenth (in the first, caches
fill). Writes bench/results/soak.json; exit status 1 if the memory grew.
"""

import argparse
import contextlib
import itertools
import statistics
import sys
from typing import Any

import psutil
from rich.progress import MofNCompleteColumn, Progress

from bench import load, record, report
from bench.stage import OURS, memory_bytes, serving, stage

LIMIT = 2 * 2**20
# Reads are most of the requests, lists and creations most of the time.
TURNS = ("read", "mix", "read", "list", "mix", "read", "filter", "mix", "read", "create_idempotent")


def main() -> int:
    """Send, note, write, and say whether the memory was flat; the exit status."""
    parser = record.command(
        "bench-soak", requests=(1_000_000, "how many"), seconds=(5, "length of a run")
    )
    return record.run(
        parser,
        "soak",
        _measure,
        report.soak_tables,
        fault=_fault,
    )


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    """The worker's memory at rest, and both memories after each run, in bytes."""
    samples: list[dict[str, int]] = []
    done = 0
    with stage() as made, serving(made, OURS) as running:
        lengths = load.check(made, running)
        at_rest = memory_bytes(running.process)
        progress = Progress(*Progress.get_default_columns(), MofNCompleteColumn())
        with progress:
            task = progress.add_task("requests", total=options.requests)
            for endpoint in itertools.cycle(TURNS):
                if done >= options.requests:
                    break
                done += load.run(
                    made, OURS, running, endpoint, options.seconds, lengths.get(endpoint)
                ).requests
                samples.append(
                    {
                        "requests": done,
                        "worker_bytes": memory_bytes(running.process),
                        "backend_bytes": _backend_bytes(made.server.pid),
                    }
                )
                progress.update(task, completed=done)
    growth = _level(samples, 0.9, 1.0) - _level(samples, 0.1, 0.2)
    return {"at_rest_bytes": at_rest, "growth_bytes": growth, "samples": samples}


def _fault(result: dict[str, Any]) -> str:
    """How much the memory grew, where that is too much."""
    growth = result["growth_bytes"]
    if growth <= LIMIT:
        return ""
    return f"grown by {growth / 2**20:.2f} MiB since the second tenth of the requests"


def _backend_bytes(postmaster: int) -> int:
    """Private memory of the largest of PostgreSQL's processes that serve the API."""
    sizes = [0]
    for process in psutil.Process(postmaster).children():
        with contextlib.suppress(psutil.Error):
            if "saas_api" in " ".join(process.cmdline()):
                sizes.append(process.memory_full_info().uss)
    return max(sizes)


def _level(samples: list[dict[str, Any]], start: float, end: float) -> int:
    """The median of the worker's memory between two parts of the way."""
    last = samples[-1]["requests"]
    part = [s["worker_bytes"] for s in samples if start * last <= s["requests"] <= end * last]
    return int(statistics.median(part or [samples[-1]["worker_bytes"]]))


if __name__ == "__main__":
    sys.exit(main())
