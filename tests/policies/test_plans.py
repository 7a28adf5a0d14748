"""How PostgreSQL finds the rows of a page: entered by the policy (ADR 0016)."""

import psycopg
import pytest

from api.policies.databases import Database


@pytest.mark.parametrize(
    ("view", "time", "actor"),
    [("projects", "created_at", "viewer"), ("audit_events", "occurred_at", "owner")],
)
def test_page_is_looked_for_where_it_begins(
    pgtap_database: Database, view: str, time: str, actor: str
) -> None:
    with psycopg.connect(pgtap_database.admin_url) as connection:
        connection.execute("select tests.new_tenant('Acme')")
        connection.execute("select tests.as(%s)", [actor])
        for other in ("seqscan", "bitmapscan", "sort"):
            connection.execute(f"set local enable_{other} = off".encode())
        plan = connection.execute(
            f"explain (costs off) select from api.{view} where organisation_id ="
            f" tests.organisation() order by {time} desc".encode()
        ).fetchall()
    conditions = [line for (line,) in plan if "Index Cond" in line]
    assert conditions
    assert all(f"{time} <= " in line for line in conditions), plan
