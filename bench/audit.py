"""
What the audit costs a change of 10,000 rows: `make bench-audit`.

Enters a tenant as its owner does, and times one UPDATE and one INSERT of 10,000 projects, commit
included, with the triggers of the audit and without in turns. Writes bench/results/audit.json.
"""

import argparse
import sys
from time import perf_counter
from typing import Any

import psycopg
from rich.progress import Progress

from bench import record, report
from bench.stage import SETTINGS, Stage, bare

ROWS = 10_000
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
    """Measure, write, print; the exit status."""
    parser = record.command("bench-audit", rounds=(15, "runs of each"))
    return record.run(parser, "audit", _measure, report.audit_tables, fault=_fault)


def _fault(result: dict[str, Any]) -> str:
    """The changes that the audit makes too dear."""
    over = [name for name, each in report.audit_ratios(result).items() if each >= report.AUDITED]
    return f"{report.AUDITED} times or more with the audit: {', '.join(over)}" if over else ""


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    """All rounds; what it returns is the file's content."""
    found: dict[str, dict[str, list[float]]] = {}
    with (
        bare() as made,
        psycopg.connect(made.server.url("postgres"), autocommit=True) as admin,
        psycopg.connect(made.server.url("saas_api"), autocommit=True) as api,
        Progress() as progress,
    ):
        api.execute("set statement_timeout = 0")
        organisation_id = _fill(made, admin, api)
        task = progress.add_task("", total=2 * (options.rounds + 1) * len(CHANGES))
        for name, change in CHANGES.items():
            seconds = found[name] = {"audited": [], "without": []}
            for number in range(options.rounds + 1):  # the first of them warms up
                for kind, verb in (("audited", "enable"), ("without", "disable")):
                    progress.update(task, description=f"{name}, {kind}")
                    admin.execute(f"alter table app.projects {verb} trigger _900_audit_{name}")
                    for statement in SETTLE.strip().split(";")[:-1]:
                        admin.execute(statement)
                    took = _time(api, made.digest, organisation_id, change)
                    if number:
                        seconds[kind].append(round(took, 4))
                    progress.advance(task)
            admin.execute(f"alter table app.projects enable trigger _900_audit_{name}")
    return {"settings": SETTINGS, "rows": ROWS, "seconds": found}


def _fill(made: Stage, admin: psycopg.Connection, api: psycopg.Connection) -> str:
    """An organisation with 10,000 projects; its id."""
    row = api.execute(
        "select body ->> 'organisation_id' from api.create_organisation(%s, '', 'x', null, null)",
        [made.digest],
    ).fetchone()
    assert row is not None
    admin.execute(
        "insert into app.projects (organisation_id, name, description)"
        " select %s, 'kept ' || n, repeat('x', 100) from generate_series(1, %s) as n",
        [row[0], ROWS],
    )
    return str(row[0])


def _time(api: psycopg.Connection, digest: bytes, organisation_id: str, change: str) -> float:
    """Seconds of one change and its commit, in a context entered before."""
    with api.transaction():
        api.execute(
            "select gate.enter(%s, 'bench', %s, 'projects.write')", [digest, organisation_id]
        )
        start = perf_counter()
        changed = api.execute(change.encode()).rowcount
        assert changed == ROWS, changed
    return perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
