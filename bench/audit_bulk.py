"""
What the audit costs a change of 10,000 rows: with its triggers and without, in turns.

    .venv/bin/python bench/audit_bulk.py [rounds]

Makes a PostgreSQL of its own in a temporary folder, with its default settings (fsync on), enters a
tenant as a member does, and times one UPDATE and one INSERT of 10,000 projects, commit included.
Prints the medians and their ratio; exit status 1 if one is 2 or more.
"""

import hashlib
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import psycopg

from api import bootstrap, embedded, maintain, migrate

ROWS = 10_000
DIGEST = hashlib.sha256(b"bench").digest()
CHANGES = {
    "update": """
        update app.projects
        set status = case status when 'active' then 'archived' else 'active' end
        where name like 'kept %'
    """,
    "insert": """
        insert into app.projects (organisation_id, name, description)
        select ctx.tenant_id(), 'new ' || n, repeat('x', 100) from generate_series(1, 10000) as n
    """,
}
SETTLE = """
    delete from app.projects where name like 'new %';
    vacuum analyze app.projects;
    vacuum analyze audit.events;
    checkpoint;
"""


def main() -> int:
    """Measure, print, and say whether the limit is kept."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    folder = Path(tempfile.mkdtemp(prefix="saas-api-bench-"))
    server = embedded.ensure_running(folder)
    try:
        bootstrap.bootstrap(server.url("postgres", "postgres"), database="saas")
        migrate.run(server.url("saas_migrator"))
        maintain.run(server.url("saas_migrator"))
        return _compare(server.url("postgres"), server.url("saas_api"), rounds)
    finally:
        embedded.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _compare(admin_url: str, api_url: str, rounds: int) -> int:
    over = False
    with (
        psycopg.connect(admin_url, autocommit=True) as admin,
        psycopg.connect(api_url, autocommit=True) as api,
    ):
        api.execute("set statement_timeout = 0")
        organisation_id = _fill(admin, api)
        for name, change in CHANGES.items():
            seconds: dict[bool, list[float]] = {True: [], False: []}
            for number in range(2 * rounds + 2):
                audited = number % 2 == 0
                verb = "enable" if audited else "disable"
                admin.execute(f"alter table app.projects {verb} trigger _900_audit_{name}")
                for statement in SETTLE.strip().split(";")[:-1]:
                    admin.execute(statement)
                took = _time(api, organisation_id, change)
                if number > 1:  # the first of each warms up
                    seconds[audited].append(took)
            admin.execute(f"alter table app.projects enable trigger _900_audit_{name}")
            with_audit, without = (statistics.median(seconds[each]) for each in (True, False))
            ratio = with_audit / without
            over |= ratio >= 2
            print(
                f"{name} of {ROWS:,} rows, medians of {rounds}: {without * 1000:.0f} ms without"
                f" audit, {with_audit * 1000:.0f} ms with it, ratio {ratio:.2f}"
            )
    return int(over)


def _fill(admin: psycopg.Connection, api: psycopg.Connection) -> str:
    """A tenant with 10,000 projects whose owner's session is DIGEST; its id."""
    api.execute(
        "select api.register('bench@example.com', null, %s, 'm=8,t=1,p=1', 'x', '')", [b"s" * 16]
    )
    api.execute("select api.login('bench@example.com', 'x', %s, 86400, '')", [DIGEST])
    row = api.execute(
        "select body ->> 'organisation_id' from api.create_organisation(%s, '', 'x', null, null)",
        [DIGEST],
    ).fetchone()
    assert row is not None
    admin.execute(
        "insert into app.projects (organisation_id, name, description)"
        " select %s, 'kept ' || n, repeat('x', 100) from generate_series(1, %s) as n",
        [row[0], ROWS],
    )
    return str(row[0])


def _time(api: psycopg.Connection, organisation_id: str, change: str) -> float:
    """Seconds of one change and its commit, in a context entered before."""
    with api.transaction():
        api.execute(
            "select gate.enter(%s, 'bench', %s, 'projects.write')", [DIGEST, organisation_id]
        )
        start = perf_counter()
        changed = api.execute(change.encode()).rowcount
        assert changed == ROWS, changed
    return perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
