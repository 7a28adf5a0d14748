"""saas-api maintain: partitions ahead, retention, and what has expired, in nobody's way."""

import contextlib
import threading
from collections.abc import Iterator

import psycopg
import pytest

from api import cli, maintain
from api.failure import Failure
from api.policies.databases import Database

FAR = "00000000-0000-0000-0000-0000000000ff"

PARTITIONS = """
    select name from audit.partitions()
    where ends_at > date_trunc('month', now() at time zone 'UTC') at time zone 'UTC'
"""
EXPIRED = f"""
    insert into app.users (user_id, email) values ('{FAR}', 'x@example.com') on conflict do nothing;
    insert into app.idempotency_keys
        (organisation_id, principal_id, endpoint, idempotency_key, request, created_at)
    select '{FAR}', '{FAR}', 'e', 'k' || n, '{{}}', now() - interval '24 hours 1 second'
    from generate_series(1, {{rows}}) as n;
    insert into auth.credentials (digest, user_id, expires_at)
    select sha256(n::text::bytea), '{FAR}', now() - interval '1 second'
    from generate_series(1, {{rows}}) as n;
    insert into auth.login_slots (email_digest, slot, failed_at)
    select sha256(n::text::bytea), 1, now() - interval '25 hours'
    from generate_series(1, {{rows}}) as n;
"""
LIVE = f"""
    insert into app.idempotency_keys
        (organisation_id, principal_id, endpoint, idempotency_key, request, created_at)
    values ('{FAR}', '{FAR}', 'e', 'live', '{{}}', now() - interval '23 hours 59 minutes');
    insert into auth.credentials (digest, user_id, expires_at)
    values (sha256('live'), '{FAR}', now() + interval '1 hour');
    insert into auth.credentials (digest, organisation_id, api_key_id)
    values (sha256('key'), '{FAR}', '{FAR}');
    insert into auth.login_slots (email_digest, slot, failed_at)
    values
        (sha256('live'), 1, now() - interval '23 hours'),
        (sha256('live'), 2, '-infinity');
"""
TABLES = ("app.idempotency_keys", "auth.credentials", "auth.login_slots")


@pytest.fixture
def admin(database: Database) -> Iterator[psycopg.Connection]:
    with contextlib.closing(psycopg.connect(database.admin_url, autocommit=True)) as connection:
        yield connection


def run(database: Database, **options: int) -> list[str]:
    """What one run says."""
    said: list[str] = []
    maintain.run(database.migration_url, say=said.append, **options)
    return said


def count(admin: psycopg.Connection, table: str) -> int:
    row = admin.execute(
        psycopg.sql.SQL("select count(*) from {}").format(psycopg.sql.Identifier(*table.split(".")))
    ).fetchone()
    assert row is not None
    return int(row[0])


def fill(admin: psycopg.Connection, rows: int) -> None:
    admin.execute(
        EXPIRED.replace("{rows}", str(rows)).replace("{{", "{").replace("}}", "}").encode()
    )
    admin.execute(LIVE.encode())


def add_month(admin: psycopg.Connection, months_ago: int) -> None:
    admin.execute(
        """
        select audit.add_partition(
            to_char(m, '"events_"YYYY_MM'),
            format(
                'for values from (%%L) to (%%L)',
                m at time zone 'UTC', (m + interval '1 month') at time zone 'UTC'
            ),
            'Old.'
        )
        from date_trunc('month', now() at time zone 'UTC' - make_interval(months => %s)) as m
        """,
        [months_ago],
    )


def test_run_makes_this_month_and_twelve_ahead_and_nothing_twice(
    database: Database, admin: psycopg.Connection
) -> None:
    assert run(database) == []
    first = admin.execute(PARTITIONS.encode()).fetchall()
    assert len(first) == 13
    assert run(database) == []
    assert admin.execute(PARTITIONS.encode()).fetchall() == first


def test_run_keeps_all_months_unless_told(database: Database, admin: psycopg.Connection) -> None:
    for months_ago in (1, 2, 3):
        add_month(admin, months_ago)
    names = [str(name) for (name,) in admin.execute("select name from audit.partitions()")]
    assert run(database) == []
    assert run(database, keep_audit_months=3) == []
    assert run(database, keep_audit_months=1) == [f"dropped audit.{name}" for name in names[:2]]
    assert run(database, keep_audit_months=1) == []
    assert run(database, keep_audit_months=0) == [f"dropped audit.{names[2]}"]
    assert len(admin.execute(PARTITIONS.encode()).fetchall()) == 13


def test_run_after_a_long_time_without_one_loses_no_event(
    database: Database, admin: psycopg.Connection
) -> None:
    admin.execute(
        "insert into audit.events (organisation_id, occurred_at, action, actor_type,"
        " actor_database_role, target_type)"
        " select gen_random_uuid(), now() - make_interval(months => m), 'project.created',"
        " 'database_role', 'x', 'project' from generate_series(0, 4) as m"
    )
    run(database)
    assert count(admin, "audit.events") == 5
    assert count(admin, "audit.events_default") == 0
    assert run(database, keep_audit_months=0) == []
    assert count(admin, "audit.events") == 5, "the month that runs is in that partition, too"


def test_run_removes_what_has_expired_and_nothing_else(
    database: Database, admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintain, "BATCH", 7)
    fill(admin, 23)
    assert run(database) == [
        "removed 23 expired idempotency keys",
        "removed 23 expired sessions",
        "removed 23 login failures past their time",
    ]
    assert [count(admin, table) for table in TABLES] == [1, 2, 2]
    assert run(database) == []


def test_run_waits_for_no_row_that_another_holds(
    database: Database, admin: psycopg.Connection
) -> None:
    fill(admin, 5)
    with psycopg.connect(database.admin_url) as holder:
        for table, condition in zip(
            TABLES,
            ("idempotency_key = 'k1'", "digest = sha256('1')", "email_digest = sha256('1')"),
            strict=True,
        ):
            holder.execute(f"select from {table} where {condition} for update".encode())
        admin.execute("select pg_sleep(0)")
        done = threading.Event()
        said: list[str] = []

        def work() -> None:
            said.extend(run(database))
            done.set()

        thread = threading.Thread(target=work)
        thread.start()
        assert done.wait(1.5), "it waits"
        thread.join()
        assert [line.split()[1] for line in said] == ["4", "4", "4"]
    assert [line.split()[1] for line in run(database)] == ["1", "1", "1"]


def test_run_keeps_no_row_locked_between_batches(
    database: Database, admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each batch commits: one that fails does not undo those before it."""
    monkeypatch.setattr(maintain, "BATCH", 2)
    fill(admin, 5)
    statements = {
        **maintain.EXPIRED,
        "expired sessions": "select 1 / 0 from generate_series(1, %s)",
    }
    monkeypatch.setattr(maintain, "EXPIRED", statements)
    with pytest.raises(psycopg.errors.DivisionByZero):
        run(database)
    assert [count(admin, table) for table in TABLES] == [1, 7, 7]


def test_run_makes_partitions_while_events_are_written(
    database: Database, admin: psycopg.Connection
) -> None:
    run(database)
    admin.execute(
        "do $$ declare v_name text; begin"
        " select name into v_name from audit.partitions() order by starts_at desc limit 1;"
        " execute format('drop table audit.%I', v_name); end $$"
    )
    with psycopg.connect(database.admin_url) as writer:
        writer.execute(
            "insert into audit.events (organisation_id, action, actor_type, actor_database_role,"
            " target_type) values (gen_random_uuid(), 'project.created', 'database_role', 'x', 'x')"
        )
        run(database)
        writer.rollback()
    assert len(admin.execute(PARTITIONS.encode()).fetchall()) == 13


def test_run_twice_at_once_is_as_good_as_one(database: Database, admin: psycopg.Connection) -> None:
    fill(admin, 2000)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            run(database)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [count(admin, table) for table in TABLES] == [1, 2, 2]
    assert len(admin.execute(PARTITIONS.encode()).fetchall()) == 13


def test_command_says_what_it_did(
    database: Database,
    admin: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SAAS_API_DATABASE_URL", database.api_url)
    monkeypatch.setenv("SAAS_API_MIGRATION_DATABASE_URL", database.migration_url)
    add_month(admin, 3)
    fill(admin, 1)
    assert cli.main(["maintain", "--keep-audit-months", "2"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "saas-api: dropped audit.events_" in said.err
    assert "saas-api: removed 1 expired sessions" in said.err
    assert cli.main(["maintain"]) == 0
    assert capsys.readouterr().err == ""


def test_command_refuses_to_keep_less_than_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["maintain", "--keep-audit-months", "-1"]) == 1
    assert "0 or more" in capsys.readouterr().err


def test_run_without_a_database_fails_in_words() -> None:
    with pytest.raises(Failure):
        maintain.run("postgresql://saas_migrator@127.0.0.1:1/nowhere")


def test_role_of_the_api_cannot_maintain(database: Database) -> None:
    with pytest.raises(Failure, match=r"saas_api may not maintain .* name saas_migrator$"):
        maintain.run(database.api_url)


def test_table_that_is_locked_for_long_is_said(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintain, "LOCK_TIMEOUT", "50ms")
    with psycopg.connect(database.admin_url) as holder:
        holder.execute("lock table auth.credentials in access exclusive mode")
        with pytest.raises(Failure, match=r"locked for more than 50ms: .* maintain again$"):
            maintain.run(database.migration_url)
