"""
What isolation costs: the product beside copies of itself without it: `make bench-isolation`.

One copy trusts its settings, without a seal (peers/unsealed.sql); another is without row-level
security besides (peers/trusting.sql). Credential, membership and role are asked for in all three,
and the functions are the same. One connection, by pgbench and over HTTP, the three in turns; nobody
waits for the disk, which would hide a part of the cost. Writes bench/results/isolation.json.
"""

import argparse
import contextlib
import itertools
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from rich.progress import Progress

from bench import load, record, report
from bench.stage import OURS, SETTINGS, Stage, bare, copy, fill, serving

NOT_WAITING = {"fsync": "off", "synchronous_commit": "off", "autovacuum": "off"}
ENDPOINTS = ("read", "list", "create")
VARIANTS = (
    OURS,
    replace(OURS, name="unsealed", database="bench_unsealed"),
    replace(OURS, name="trusting", database="bench_trusting"),
)
WARM_UP_SECONDS = 1


def main() -> int:
    """Measure, write, print; the exit status."""
    parser = record.command(
        "bench-isolation", seconds=(2, "length of a run"), rounds=(7, "runs of each")
    )
    return record.run(parser, "isolation", _measure, report.isolation_tables)


@contextlib.contextmanager
def isolated() -> Iterator[Stage]:
    """The server with the data set and its copies, each of them VARIANTS'."""
    with bare(NOT_WAITING) as made:
        fill(made)
        copy(made, "bench_unsealed", "unsealed")
        copy(made, "bench_trusting", "unsealed", "trusting")
        made.tokens.update(dict.fromkeys((each.name for each in VARIANTS), made.tokens["ours"]))
        yield made


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    """All rounds; what it returns is the file's content."""
    seconds, rounds = options.seconds, options.rounds
    runs: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(isolated())
        running = {each.name: stack.enter_context(serving(made, each)) for each in VARIANTS}
        lengths = {name: load.check(made, server) for name, server in running.items()}
        progress = stack.enter_context(Progress())
        task = progress.add_task("", total=(rounds + 1) * 2 * len(ENDPOINTS))
        for number in range(rounds + 1):  # the first of them warms up
            first = number % len(VARIANTS)
            for client, endpoint in itertools.product(("pgbench", "http"), ENDPOINTS):
                progress.update(task, description=f"{endpoint}, {client}")
                for each in VARIANTS[first:] + VARIANTS[:first]:
                    run = load.run(
                        made,
                        each,
                        running[each.name] if client == "http" else None,
                        endpoint,
                        seconds if number else WARM_UP_SECONDS,
                        lengths[each.name][endpoint],
                        connections=1,
                    )
                    if number:
                        kind = {"client": client, "endpoint": endpoint, "variant": each.name}
                        runs.append({"round": number, **kind, **run.record()})
                progress.advance(task)
    return {
        "settings": SETTINGS | NOT_WAITING | {"connections": 1, "seconds": seconds},
        "runs": runs,
    }


if __name__ == "__main__":
    sys.exit(main())
