"""
What a database needs done now and then: `saas-api maintain`, from cron or a timer.

Makes the next months' audit partitions, drops those past their retention, and clears away what has
expired, in batches that lock nothing another transaction holds. Safe to run at any time, and twice.
"""

from typing import LiteralString

import psycopg

from api import urls
from api.failure import Failure, Say, say_nothing

NAME = "SAAS_API_MIGRATION_DATABASE_URL"
MONTHS_AHEAD = 12
BATCH = 1000
LOCK_TIMEOUT = "2s"  # who waits for a partition makes others wait behind it

# What each is to be called when it is reported, and the statement that removes one batch of it.
EXPIRED: dict[str, LiteralString] = {
    "expired idempotency keys": """
        with expired as materialized (
            select organisation_id, principal_id, claim_id
            from app.idempotency_keys
            where created_at < now() - interval '24 hours'
            limit %s
            for update skip locked
        )
        delete from app.idempotency_keys as k
        using expired as e
        where (k.organisation_id, k.principal_id, k.claim_id)
            = (e.organisation_id, e.principal_id, e.claim_id)
    """,
    "expired sessions": "select from auth.remove_expired_sessions(%s)",
    "login failures past their time": "select from auth.remove_past_failures(%s)",
}


def run(url: str, *, keep_audit_months: int | None = None, say: Say = say_nothing) -> None:
    """
    Maintain the database at `url` (of saas_migrator).

    `keep_audit_months`: whole months of audit events to keep besides the current one; None: all.
    Errors: Failure when the database is away, the role may not, or a table is locked for long.
    Source: sql/functions/auth/remove_expired_sessions.sql, remove_past_failures.sql there,
    sql/functions/audit/prepare_partitions.sql, sql/functions/audit/drop_partitions.sql
    """
    with urls.connect(url, name=NAME) as connection:
        try:
            _maintain(connection, keep_audit_months, say)
        except psycopg.errors.InsufficientPrivilege as error:
            raise Failure(
                f"{connection.info.user} may not maintain ({error.diag.message_primary}): "
                f"let {NAME} name saas_migrator"
            ) from None
        except psycopg.errors.LockNotAvailable:
            raise Failure(
                f"a table was locked for more than {LOCK_TIMEOUT}: "
                "what was done before stays done, run saas-api maintain again"
            ) from None


def _maintain(connection: psycopg.Connection, keep_audit_months: int | None, say: Say) -> None:
    connection.execute("set role saas_owner")
    connection.execute("select pg_catalog.set_config('lock_timeout', %s, false)", [LOCK_TIMEOUT])
    for what, statement in EXPIRED.items():
        removed = _in_batches(connection, statement)
        if removed:
            say(f"removed {removed} {what}")
    connection.execute("select audit.prepare_partitions(%s)", [MONTHS_AHEAD])
    if keep_audit_months is not None:
        months = connection.execute(
            "select audit.drop_partitions(%s)", [keep_audit_months]
        ).fetchall()
        for (month,) in months:
            say(f"dropped audit.{month}")


def _in_batches(connection: psycopg.Connection, statement: LiteralString) -> int:
    """Run `statement`, each time in a transaction of its own, until a batch is not full."""
    removed = 0
    while True:
        count = connection.execute(statement, [BATCH]).rowcount
        removed += count
        if count < BATCH:
            return removed
