"""
How reading one project scales from one worker to two: `make bench-workers`.

PostgreSQL and wrk want the same cores as the workers; on a few cores the rate would say how few
they are. So each worker gets a quota of a core (SIGSTOP when it is used up, as with cgroups): then
it is the workers that are short of time, and client and database have room. One worker and two are
loaded in turns, the first of them changing from round to round. Writes bench/results/workers.json.
Needs Linux.
"""

import argparse
import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from rich.progress import Progress

from bench import load, record, report
from bench.stage import OURS, SETTINGS, Running, serving, stage

CONNECTIONS = 64
QUOTA = 0.25  # of a core, for a worker
PERIOD_SECONDS = 0.05
LOOK_SECONDS = 0.001
COUNTS = (1, 2)


def main() -> int:
    """Measure, write, print; the exit status."""
    parser = record.command(
        "bench-workers", seconds=(4, "length of a run"), rounds=(9, "runs of each")
    )
    return record.run(parser, "workers", _measure, report.workers_tables)


@contextlib.contextmanager
def slowed(processes: list[psutil.Process]) -> Iterator[None]:
    """Stop each of the processes when it has had its quota of a period, until the next one."""
    done = threading.Event()

    def limit(process: psutil.Process) -> None:
        clock = Path(f"/proc/{process.pid}/schedstat")  # nanoseconds on a processor, first of all
        while not done.is_set():
            ends = time.monotonic() + PERIOD_SECONDS
            used = int(clock.read_text().split()[0])
            process.send_signal(signal.SIGCONT)
            while time.monotonic() < ends:
                time.sleep(LOOK_SECONDS)
                if int(clock.read_text().split()[0]) - used > QUOTA * PERIOD_SECONDS * 1e9:
                    process.send_signal(signal.SIGSTOP)
                    time.sleep(max(0.0, ends - time.monotonic()))
        process.send_signal(signal.SIGCONT)

    threads = [threading.Thread(target=limit, args=(each,)) for each in processes]
    for number, each in enumerate(threads):
        time.sleep(number * PERIOD_SECONDS / len(threads))
        each.start()
    try:
        yield
    finally:
        done.set()
        for each in threads:
            each.join()


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    """All rounds; what it returns is the file's content."""
    seconds, rounds = options.seconds, options.rounds
    runs: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(stage())
        running: dict[int, Running] = {
            count: stack.enter_context(serving(made, OURS, SAAS_API_WORKERS=str(count)))
            for count in COUNTS
        }
        length = load.check(made, running[1])["read"]
        progress = stack.enter_context(Progress())
        task = progress.add_task("read one", total=rounds + 1)
        for number in range(rounds + 1):  # the first of them warms up
            for count in COUNTS if number % 2 else reversed(COUNTS):
                workers = running[count].process.children()
                with slowed(workers):
                    run = load.run(made, OURS, running[count], "read", seconds, length, CONNECTIONS)
                if number:
                    runs.append({"round": number, "workers": count, **run.record()})
            progress.advance(task)
    settings = SETTINGS | {"connections": CONNECTIONS, "seconds": seconds, "quota": QUOTA}
    return {"settings": settings, "runs": runs}


if __name__ == "__main__":
    sys.exit(main())
