"""
How reading one project scales from one worker to two.

    .venv/bin/python bench/workers.py [--rounds 5] [--seconds 4]

Needs wrk. Makes a PostgreSQL of its own in a temporary folder, and serves from one worker and from
two, in turns. PostgreSQL and wrk want the same cores as the workers, so that requests per second
would say how few cores there are. What is measured is what a request costs a worker, in seconds of
its CPU, and how evenly the workers share the requests: with cores enough, N workers serve

    1 / (CPU seconds a request x the busiest worker's share of the requests)

a second. The scaling is the ratio of that for two workers and for one, from each pair of runs.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from api.policies import databases
from tests.serving import Server, serving

CONNECTIONS = 64
PASSWORD = "correct horse battery staple"


def call(url: str, token: str | None = None, **body: str) -> Any:
    """One request; a POST where there is a body."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = json.dumps(body).encode() if body else None
    with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as answer:
        return json.load(answer)


def project(url: str) -> tuple[str, str]:
    """An organisation with one project: the project's path, and a token that may read it."""
    email = f"{time.monotonic_ns()}@example.com"
    call(f"{url}/auth/register", email=email, password=PASSWORD)
    token = call(f"{url}/auth/login", email=email, password=PASSWORD)["access_token"]
    organisation = call(f"{url}/orgs", token, name="Acme")["organisation_id"]
    path = f"/orgs/{organisation}/projects"
    return f"{path}/{call(url + path, token, name='Apollo')['project_id']}", token


def load(url: str, token: str, seconds: int) -> int:
    """Run wrk; how many requests were answered, all of them well."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s"]
    command += ["-H", f"Authorization: Bearer {token}", url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(said)
    found = re.search(r"(\d+) requests in", said)
    assert found is not None
    return int(found.group(1))


def cpu(server: Server) -> dict[int, float]:
    """Seconds of CPU that each worker has used."""
    children = psutil.Process(server.process.pid).children()
    return {child.pid: sum(child.cpu_times()[:2]) for child in children}


def measure(server: Server, path: str, token: str, seconds: int) -> tuple[float, float, int]:
    """Microseconds of CPU a request, the busiest worker's share, and requests a second."""
    log = server.temporary / "log"
    offset = log.stat().st_size
    before = cpu(server)
    answered = load(server.url + path, token, seconds)
    used = sum(after - before[pid] for pid, after in cpu(server).items())
    with log.open() as lines:
        lines.seek(offset)
        counts = Counter(json.loads(line)["process"] for line in lines)
    return 1e6 * used / counts.total(), max(counts.values()) / counts.total(), answered // seconds


def main() -> None:
    """Serve, load in turns, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    arguments = parser.parse_args()
    ratios = []
    with (
        databases.scratch() as directory,
        tempfile.TemporaryDirectory() as one,
        tempfile.TemporaryDirectory() as two,
    ):
        server = databases.start(directory)
        with (
            databases.clone(server, databases.MIGRATED) as database,
            serving(database.api_url, Path(one), SAAS_API_WORKERS="1") as single,
            serving(database.api_url, Path(two), SAAS_API_WORKERS="2") as double,
        ):
            path, token = project(single.url)
            for each in (single, double):
                load(each.url + path, token, 2)
            print("workers   CPU us/request   busiest share   requests/s here")
            for _ in range(arguments.rounds):
                rates = []
                for workers, each in ((1, single), (2, double)):
                    cost, share, rate = measure(each, path, token, arguments.seconds)
                    rates.append(1 / (cost * share))
                    print(f"{workers:7} {cost:16.0f} {share:15.2f} {rate:17}")
                ratios.append(rates[1] / rates[0])
    print(
        f"scaling from 1 to 2 workers: {statistics.median(ratios):.2f}"
        f" ({min(ratios):.2f} to {max(ratios):.2f})"
    )


if __name__ == "__main__":
    main()
