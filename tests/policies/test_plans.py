"""How PostgreSQL finds rows under the policies: here only, since its choice hangs on statistics."""

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
    """Entered by the policy (ADR 0016)."""
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


def test_idempotency_key_is_found_by_its_index(pgtap_database: Database) -> None:
    with psycopg.connect(pgtap_database.admin_url) as connection:
        connection.execute("select tests.new_tenant('Acme')")
        connection.execute("select tests.as('owner')")
        connection.execute("set local enable_seqscan = off")
        plan = connection.execute(
            "explain (costs off) update app.idempotency_keys set response = null"
            " where organisation_id = tests.organisation()"
            " and principal_id = tests.user_id('owner')"
            " and claim_id = '00000000-0000-0000-0000-000000000000'"
        ).fetchall()
    assert any("Index Cond: " in line and "claim_id = " in line for (line,) in plan), plan
