"""The guard between transactions: at a real commit, and with another one under way."""

import psycopg
import pytest

from api import files
from api.policies.databases import Database


def test_superuser_in_psql_is_refused_at_commit_and_changes_nothing(database: Database) -> None:
    with psycopg.connect(database.admin_url, autocommit=True) as connection:
        with pytest.raises(psycopg.Error) as refusal:
            connection.execute("alter table app.projects no force row level security")
        assert refusal.value.sqlstate == "SA403"
        assert refusal.value.diag.message_hint == (
            "alter table app.projects enable row level security, force row level security"
        )
        query = "select relforcerowsecurity from pg_class where oid = 'app.projects'::regclass"
        assert connection.execute(query).fetchone() == (True,)


def test_fault_of_before_the_guard_stops_no_other_change(database: Database) -> None:
    with psycopg.connect(database.admin_url, autocommit=True) as connection:
        connection.execute("set event_triggers = off")
        connection.execute("grant select on app.users to public")
        connection.execute("alter table app.projects no force row level security")
        connection.execute("set event_triggers = on")
        connection.execute("grant select on app.organisations to saas_dba")
        connection.execute("alter table app.organisations add column motto text")
        with pytest.raises(psycopg.Error, match=r"PUBLIC has select on table app\.organisations"):
            connection.execute("grant select on app.organisations to public")
        connection.execute("revoke select on app.users from public")
        connection.execute("alter table app.projects force row level security")


def test_transactions_do_not_wait_for_each_other_in_the_guard(database: Database) -> None:
    with (
        psycopg.connect(database.admin_url) as first,
        psycopg.connect(database.admin_url) as second,
    ):
        for connection in (first, second):
            connection.execute("set local lock_timeout = '1s'")
        first.execute("create table app.one (organisation_id uuid primary key)")
        first.execute("grant select on app.one to saas_dba")
        second.execute("grant usage on schema dba to saas_dba")
        second.execute("comment on table app.users is 'People.'")
        second.commit()
        with pytest.raises(psycopg.Error, match=r"not enabled and forced on app\.one"):
            first.commit()


def test_guard_installed_again_waits_for_nobody(database: Database) -> None:
    """As with every command on the embedded server, whoever is migrating meanwhile."""
    guard = (files.tree().sql / "guard.sql").read_bytes()
    with (
        psycopg.connect(database.admin_url) as first,
        psycopg.connect(database.admin_url) as second,
    ):
        first.execute("comment on table app.users is 'People.'")
        second.execute("set local lock_timeout = '1s'")
        second.execute(guard)
        second.commit()
        first.commit()
