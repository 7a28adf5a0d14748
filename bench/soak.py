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
from pathlib import Path
from typing import Any

import psutil
from rich.progress import MofNCompleteColumn, Progress

from api.failure import Failure
from bench import load
from bench.record import origin, save
from bench.report import RESULTS
from bench.stage import OURS, memory_bytes, serving, stage

LIMIT = 2 * 2**20
# Reads are most of the requests, lists and creations most of the time.
TURNS = ("read", "mix", "read", "list", "mix", "read", "filter", "mix", "read", "create_idempotent")


def main() -> int:
    """Send, note, write, and say whether the memory was flat."""
    parser = argparse.ArgumentParser(prog="make bench-soak")
    parser.add_argument("--requests", type=int, default=1_000_000, help="how many (1000000)")
    parser.add_argument("--seconds", type=int, default=5, help="length of a run (5)")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder (bench/results)")
    options = parser.parse_args()
    try:
        at_rest, samples = _soak(options.requests, options.seconds)
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    growth = _level(samples, 0.9, 1.0) - _level(samples, 0.1, 0.2)
    result = origin("bench-soak", f"--requests {options.requests}") | {
        "at_rest_bytes": at_rest,
        "growth_bytes": growth,
        "samples": samples,
    }
    file = save(result, options.output, "soak")
    print(
        f"{samples[-1]['requests']:,} requests: {at_rest / 2**20:.1f} MiB at rest, "
        f"{samples[-1]['worker_bytes'] / 2**20:.1f} MiB at the end, grown by "
        f"{growth / 2**20:+.2f} MiB since the second tenth; written: {file}"
    )
    return int(growth > LIMIT)


def _soak(requests: int, seconds: int) -> tuple[int, list[dict[str, int]]]:
    """The worker's memory at rest, and both memories after each run, in bytes."""
    samples: list[dict[str, int]] = []
    done = 0
    with stage() as made, serving(made, OURS) as running:
        lengths = load.check(made, running)
        at_rest = memory_bytes(running.process)
        progress = Progress(*Progress.get_default_columns(), MofNCompleteColumn())
        with progress:
            task = progress.add_task("requests", total=requests)
            for endpoint in itertools.cycle(TURNS):
                if done >= requests:
                    break
                run = load.run(made, OURS, running, endpoint, seconds, lengths.get(endpoint))
                done += run.requests
                samples.append(
                    {
                        "requests": done,
                        "worker_bytes": memory_bytes(running.process),
                        "backend_bytes": _backend_bytes(made.server.pid),
                    }
                )
                progress.update(task, completed=done)
    return at_rest, samples


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
