"""Each check of `saas-api doctor` sees what it is for, and is quiet when all is well."""

from collections.abc import Iterator

import psycopg
import pytest

from api import bootstrap, doctor, migrate
from api.doctor import Finding
from api.embedded import EmbeddedServer
from api.failure import Failure
from api.policies import databases
from api.settings import Settings

LOCAL = Settings()
PRODUCTION = Settings(environment="production")


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    """A server of this module's own, since the tests spoil its roles."""
    with databases.migrated_server() as running:
        yield running


def execute(server: EmbeddedServer, statements: str) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("set event_triggers = off")
        connection.execute(statements.encode())


def examine(
    server: EmbeddedServer, settings: Settings = LOCAL, role: str = "saas_api"
) -> list[Finding]:
    """What is wrong, but for the server's version."""
    findings = doctor.examine(server.url(role), settings)
    return [f for f in findings if f.level != "ok" and "has the fixes" not in f.name]


def test_good_database_has_no_findings(server: EmbeddedServer) -> None:
    assert examine(server) == []


@pytest.mark.parametrize(
    ("spoil", "repair", "expected"),
    [
        (
            "alter role saas_api superuser",
            "alter role saas_api nosuperuser",
            "saas_api is, or can become, the superuser saas_api",
        ),
        (
            "alter role saas_api bypassrls",
            "alter role saas_api nobypassrls",
            "saas_api is, or can become, saas_api, which has BYPASSRLS",
        ),
        (
            "grant saas_owner to saas_api with inherit false",
            "revoke saas_owner from saas_api",
            "saas_api is, or can become, saas_owner, which owns tables",
        ),
        (
            "alter role all set session_replication_role = replica",
            "alter role all reset session_replication_role",
            "no trigger fires for saas_api, whose session_replication_role is replica",
        ),
        (
            "grant pg_read_all_data to saas_api",
            "revoke pg_read_all_data from saas_api",
            "saas_api is member of pg_read_all_data",
        ),
        (
            "grant saas_owner to saas_migrator with inherit true",
            "grant saas_owner to saas_migrator with inherit false",
            "saas_migrator is member of saas_owner and inherits",
        ),
        (
            "grant saas_api to saas_dba with inherit true",
            "grant saas_api to saas_dba with inherit false",
            "saas_dba is member of saas_api and inherits",
        ),
        (
            "grant saas_api to saas_dba with admin option",
            "revoke admin option for saas_api from saas_dba",
            "saas_dba is member of saas_api and may grant it",
        ),
        (
            "revoke saas_gate from saas_migrator",
            "grant saas_gate to saas_migrator with inherit false, set true",
            "it may not become saas_gate",
        ),
        ("alter role saas_gate login", "alter role saas_gate nologin", "saas_gate may log in"),
        (
            "alter role saas_audit createdb",
            "alter role saas_audit nocreatedb",
            "saas_audit has CREATEDB",
        ),
        (
            "alter role saas_dba rename to saas_dbas",
            "alter role saas_dbas rename to saas_dba",
            "saas_dba is missing",
        ),
        (
            "create schema spoilt authorization saas_api",
            "drop schema spoilt",
            "saas_api owns schema spoilt",
        ),
        (
            "grant temporary on database saas to public",
            "revoke temporary on database saas from public",
            "it has temporary on the database",
        ),
        (
            "grant create on schema app to saas_api",
            "revoke create on schema app from saas_api",
            "it may create in the schema app",
        ),
        (
            "alter table app.projects no force row level security",
            "alter table app.projects force row level security",
            "not so on app.projects",
        ),
        (
            "create table app.spoilt (); alter table app.spoilt enable row level security",
            "drop table app.spoilt",
            "app.spoilt belongs to postgres",
        ),
        (
            "create function app.spoilt() returns int security definer"
            " return 1; alter function app.spoilt owner to saas_owner",
            "drop function app.spoilt",
            "app.spoilt() is not",
        ),
        (
            "create schema if not exists audit; create table audit.spoilt ();"
            " alter table audit.spoilt owner to saas_owner;"
            " alter table audit.spoilt enable row level security, force row level security;"
            " grant insert on audit.spoilt to saas_api;",
            "drop table audit.spoilt",
            "saas_api has INSERT on audit.spoilt",
        ),
        (
            "drop event trigger guard_drops",
            "create event trigger guard_drops on sql_drop execute function guard.note_drops()",
            "the event trigger guard_drops is missing or disabled; "
            "run saas-api bootstrap as a superuser",
        ),
        (
            "alter event trigger guard_commands disable",
            "alter event trigger guard_commands enable",
            "the event trigger guard_commands is missing or disabled",
        ),
        (
            "grant execute on function pg_cancel_backend to saas_api",
            "revoke execute on function pg_cancel_backend from saas_api",
            "saas_api may call pg_cancel_backend(integer)",
        ),
        (
            "grant execute on function pg_try_advisory_xact_lock_shared(bigint) to public",
            "revoke execute on function pg_try_advisory_xact_lock_shared(bigint) from public",
            "saas_api may call pg_try_advisory_xact_lock_shared(bigint)",
        ),
        (
            "alter function pg_catalog.texteq(text, text) leakproof",
            "alter function pg_catalog.texteq(text, text) not leakproof",
            "only the equality of ids is leakproof: so is texteq(text,text), the first of 1; "
            "run saas-api bootstrap as a superuser",
        ),
        (
            "alter function pg_catalog.text_lt(text, text) leakproof;"
            " alter function pg_catalog.texteq(text, text) leakproof",
            "alter function pg_catalog.text_lt(text, text) not leakproof;"
            " alter function pg_catalog.texteq(text, text) not leakproof",
            "only the equality of ids is leakproof: so is text_lt(text,text), the first of 2",
        ),
        (
            "alter role saas_api set search_path = public",
            "alter role saas_api set search_path = pg_catalog",
            "search_path is public instead of pg_catalog; run saas-api bootstrap",
        ),
        (
            "alter role saas_api in database saas set search_path = public",
            "alter role saas_api in database saas reset search_path",
            "search_path is public instead of pg_catalog; run saas-api bootstrap",
        ),
        (
            "alter role saas_api reset timezone",
            "alter role saas_api set timezone = 'UTC'",
            "timezone is not set instead of UTC; run saas-api bootstrap",
        ),
        (
            "alter database saas set row_security = off",
            "alter database saas reset row_security",
            "row_security is off instead of not set; alter database saas reset it",
        ),
        (
            "revoke usage on schema api from saas_api",
            "grant usage on schema api to saas_api",
            "saas_api cannot read it (permission denied for schema api); run saas-api migrate",
        ),
        (
            "update deploy.schema_version set version = 'old'",
            "",
            "it is old; run saas-api migrate",
        ),
    ],
)
def test_spoilt_database_is_found_out(
    server: EmbeddedServer, spoil: str, repair: str, expected: str
) -> None:
    """Each finding says what is wrong; after the repair there is none."""
    execute(server, spoil)
    try:
        lines = [finding.line() for finding in examine(server)]
        assert [line for line in lines if expected in line], lines
    finally:
        execute(server, repair or _version())
    assert examine(server) == []


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (
            "drop policy tenant_isolation on app.projects",
            "policy tenant_isolation on app.projects (policies/projects.sql) is missing",
        ),
        (
            "drop trigger _900_audit_insert on app.projects",
            "trigger _900_audit_insert on app.projects (sql/triggers/projects.sql) is missing",
        ),
        (
            "alter table app.projects disable trigger _900_audit_insert",
            "trigger _900_audit_insert on app.projects (sql/triggers/projects.sql) is missing",
        ),
        (
            "drop view api.projects cascade",
            "view api.projects (sql/views/api/projects.sql) is missing",
        ),
        (
            "drop function ctx.tenant_id() cascade",
            "function ctx.tenant_id (sql/functions/ctx/tenant_id.sql) is missing",
        ),
    ],
)
def test_missing_object_is_found_out_and_migrate_makes_it_again(
    server: EmbeddedServer, spoil: str, expected: str
) -> None:
    """Although no file changed."""
    execute(server, spoil)
    lines = [finding.line() for finding in examine(server)]
    assert [line for line in lines if expected in line and "run saas-api migrate" in line], lines
    migrate.run(server.url("saas_migrator"))
    assert examine(server) == []


def test_bootstrap_undoes_the_settings_that_a_role_gave_itself(server: EmbeddedServer) -> None:
    """What doctor advises cures what it reports."""
    for change in (
        "alter role saas_api set row_security = off",
        "alter role saas_api set search_path = public",
        "alter role saas_api in database saas set default_transaction_isolation = 'serializable'",
    ):
        execute(server, change)
    lines = [finding.line() for finding in examine(server)]
    assert all("run saas-api bootstrap" in line for line in lines if "settings" in line), lines
    assert len([line for line in lines if "settings of saas_api" in line]) == 3
    bootstrap.bootstrap(server.url("postgres", "postgres"), database="saas")
    assert examine(server) == []


def _version() -> str:
    return f"update deploy.schema_version set version = '{migrate.expected_version()}'"


def test_api_connecting_as_another_role_is_a_failure(server: EmbeddedServer) -> None:
    lines = [finding.line() for finding in examine(server, role="postgres")]
    assert any("it connects as postgres" in line for line in lines)


@pytest.mark.parametrize(
    ("patched", "settings", "level"),
    [
        ({18: 99}, LOCAL, "warning"),
        ({18: 99}, PRODUCTION, "failure"),
        ({18: 0}, PRODUCTION, "ok"),
        ({17: 99}, PRODUCTION, "ok"),
        ({19: 0}, PRODUCTION, "failure"),
    ],
)
def test_unpatched_server_is_a_failure_in_production(
    server: EmbeddedServer,
    monkeypatch: pytest.MonkeyPatch,
    patched: dict[int, int],
    settings: Settings,
    level: str,
) -> None:
    monkeypatch.setattr(doctor, "PATCHED", patched)
    assert next(doctor.examine(server.url(), settings)).level == level


def test_role_faults_of_a_role_that_reaches_a_superuser(server: EmbeddedServer) -> None:
    execute(server, "create role chief superuser; grant chief to saas_api with inherit false")
    try:
        with psycopg.connect(server.url()) as connection:
            faults = connection.execute(doctor.ROLE_FAULTS).fetchall()
    finally:
        execute(server, "drop role chief")
    assert faults == [("saas_api is, or can become, the superuser chief",)]


def test_database_that_is_away_is_one_line() -> None:
    with pytest.raises(Failure, match="cannot connect with SAAS_API_DATABASE_URL"):
        list(doctor.examine("postgresql://saas_api:hush@127.0.0.1:1/saas", LOCAL))
