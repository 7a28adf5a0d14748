"""
Where the time of a request goes, by stage, in Python and in PostgreSQL: `make bench-profile`.

Python: py-spy looks at the worker 200 times a second under the load of bench/compare.py; what it
was doing, times the processor time of a request, is microseconds by stage. PostgreSQL: on a second
server that counts (track_functions, pg_stat_statements), over one connection, so that a function's
time is its own; what remains of the processor time of a request is outside of functions: protocol,
portal, commit. Writes bench/results/profile.json. py-spy needs root, or to be allowed to look at
other processes (kernel.yama.ptrace_scope = 0).
"""

import argparse
import subprocess
import sys
from collections import Counter
from typing import Any

import psycopg

from api.failure import Failure
from bench import load, record, report
from bench.stage import BIN, OURS, serving, stage, worker

# The endpoints, and the function that each calls once.
ENDPOINTS = {
    "read": "api.get_project",
    "list": "api.list_projects",
    "filter": "api.list_projects",
    "create": "api.create_project",
    "create_idempotent": "api.create_project",
}
SAMPLES_PER_SECOND = 200

# A sample belongs to its innermost frame, "function (file:line)", that has one of these in it. What
# is compiled has no frame: its time is that of the function of Python that called it.
ROUND_TRIP = "statement written to PostgreSQL's socket, rows read"
STAGES = {
    "(aiohttp/http_writer.py": "answer written to the client's socket",
    "(aiohttp/worker.py": "event loop: wait, read sockets, parse HTTP and PostgreSQL's answer",
    "(aiohttp/web_urldispatcher.py": "routing",
    "(aiohttp/": "aiohttp: request and response objects, middlewares",
    "(yarl/": "aiohttp: request and response objects, middlewares",
    "(asyncpg/": ROUND_TRIP,
    "fetch (api/database.py": ROUND_TRIP,  # awaits what asyncpg has compiled
    "(api/database.py": "pool: lease, prepared statement",
    "(api/credentials.py": "credential: digest, cache of checked tokens",
    "(api/logs.py": "log line",
    "(api/metrics.py": "metrics",
    "(prometheus_client/": "metrics",
    "(api/requests.py": "checks of path, query and body",
    "(api/schemas.py": "checks of path, query and body",
    "(api/": "frame and handler: request id, call, response",
}
WAITING = "concurrent/futures/thread.py"  # where the password threads are, doing nothing

COUNTING = {
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "all",
    "pg_stat_statements.track_planning": "on",
    "track_functions": "all",
}
FUNCTIONS = """
select schemaname || '.' || funcname, calls, total_time * 1000, self_time * 1000
from pg_catalog.pg_stat_user_functions
"""
STATEMENTS = """
select
    regexp_replace(query, '\\s+', ' ', 'g'), calls, plans,
    total_plan_time * 1000, total_exec_time * 1000
from pg_stat_statements
where toplevel is false
"""


def main() -> int:
    """Measure and write; the exit status."""
    parser = record.command("bench-profile", seconds=(10, "length of a run"))
    return record.run(parser, "profile", _measure, report.profile_tables)


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    """What it returns is the file's content."""
    return {"python": _python(options.seconds), "postgresql": _postgresql(options.seconds)}


def _python(seconds: int) -> dict[str, Any]:
    """By endpoint, processor time of a request and its stages, in microseconds."""
    found = {}
    with stage() as made, serving(made, OURS) as running:
        load.check(made, running)
        for endpoint in ENDPOINTS:
            load.run(made, OURS, running, endpoint, 2)
            plain = load.run(made, OURS, running, endpoint, seconds)
            microseconds = plain.api_cpu_seconds / plain.requests * 1e6
            stacks = made.folder / "stacks.txt"
            with subprocess.Popen(
                [
                    *(str(BIN / "py-spy"), "record", "--pid", str(worker(running.process).pid)),
                    *("--rate", str(SAMPLES_PER_SECOND), "--duration", str(seconds)),
                    *("--format", "raw", "--output", str(stacks)),
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            ) as spy:
                load.run(made, OURS, running, endpoint, seconds + 1)
                _, said = spy.communicate()
            if spy.returncode:
                raise Failure(f"py-spy: {said.strip()}")
            samples = _by_stage(stacks.read_text())
            scale = microseconds / samples.total()
            found[endpoint] = {
                "microseconds": round(microseconds, 1),
                "samples": samples.total(),
                "stages": {name: round(scale * n, 1) for name, n in samples.most_common()},
            }
    return found


def _by_stage(stacks: str) -> Counter[str]:
    """Samples by stage, from py-spy's lines: frames from the outermost in, and a count."""
    samples: Counter[str] = Counter()
    for line in stacks.splitlines():
        frames, _, count = line.rpartition(" ")
        if WAITING in frames:
            continue
        for frame in reversed(frames.split(";")):
            if name := next((STAGES[place] for place in STAGES if place in frame), None):
                samples[name] += int(count)
                break
        else:
            samples["other"] += int(count)
    return samples


def _postgresql(seconds: int) -> dict[str, Any]:
    """By endpoint, processor time of a request, of its functions and of their statements."""
    found = {}
    with (
        stage(COUNTING) as made,
        serving(made, OURS) as running,
        psycopg.connect(made.server.url("postgres"), autocommit=True) as admin,
    ):
        admin.execute("create extension pg_stat_statements")
        for endpoint in ENDPOINTS:
            load.run(made, OURS, running, endpoint, 2, connections=1)
            admin.execute("select pg_stat_statements_reset(), pg_stat_reset()")
            run = load.run(made, OURS, running, endpoint, seconds, connections=1)
            found[endpoint] = {
                "microseconds": round(run.database_cpu_seconds / run.requests * 1e6, 1),
                "functions": _functions(admin, ENDPOINTS[endpoint]),
                "statements": _statements(admin, run.requests),
            }
    return found


def _functions(admin: psycopg.Connection, called: str) -> dict[str, dict[str, float]]:
    """By function, what it is a request: calls, and microseconds with and without its callees."""
    rows = admin.execute(FUNCTIONS.encode()).fetchall()
    requests = next(calls for name, calls, *_ in rows if name == called)
    return {
        name: {
            "calls": round(calls / requests, 2),
            "total": round(total / requests, 1),
            "self": round(own / requests, 1),
        }
        for name, calls, total, own in sorted(rows, key=lambda row: -row[3])
        if calls > requests / 2
    }


def _statements(admin: psycopg.Connection, requests: int) -> list[dict[str, Any]]:
    """The statements in functions, what each is a request: calls, plans, microseconds of both."""
    rows = admin.execute(STATEMENTS.encode()).fetchall()
    return [
        {
            "text": text[:200],
            "calls": round(calls / requests, 2),
            "plans": round(plans / requests, 2),
            "plan": round(plan / requests, 1),
            "execute": round(execute / requests, 1),
        }
        for text, calls, plans, plan, execute in sorted(rows, key=lambda row: -row[4])
        if calls > requests / 2
    ]


if __name__ == "__main__":
    sys.exit(main())
