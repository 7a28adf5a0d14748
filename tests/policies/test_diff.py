"""`saas-api policies diff` sees each tampering, names it, and prints what mends it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from api import cli, embedded, files, maintain, urls
from api.failure import Failure
from api.policies import databases, diff
from api.policies.databases import Database, Server
from api.policies.diff import Catalogue, Difference

PARTITION = "audit.events_2031_05"
CONTEXT = (
    "create or replace function gate.sealed(p_setting text, p_permission text default null)"
    " returns text language plpgsql stable"
    " parallel restricted security definer set search_path = pg_catalog, pg_temp"
    " as $$ begin return current_setting(p_setting, true); end $$"
)

# Events of months that have no partition.
LATE = """
insert into audit.events_default
    (organisation_id, occurred_at, action, actor_type, target_type, changes)
select gen_random_uuid(), month, 'user.logged_in', 'anonymous', 'user', '{}'
from unnest(array['2020-01-05Z', '2020-03-05Z']::timestamptz[]) as month
"""

# One statement that weakens or changes something, and what is to be named.
TAMPERINGS = {
    # policies
    "drop policy tenant_isolation on app.projects": "policy tenant_isolation on app.projects",
    "alter policy tenant_isolation on app.projects using (true)": (
        "policy tenant_isolation on app.projects"
    ),
    "alter policy tenant_isolation on app.memberships with check (true)": (
        "policy tenant_isolation on app.memberships"
    ),
    "alter policy insert_audit on audit.events to saas_audit, saas_api": (
        "policy insert_audit on audit.events"
    ),
    "alter policy read_gate on auth.passwords to public": "policy read_gate on auth.passwords",
    "alter policy read_viewer on app.projects rename to read_all": (
        "policy read_viewer on app.projects"
    ),
    "create policy extra on app.projects for select to public using (true)": (
        "policy extra on app.projects"
    ),
    "drop policy own_principal on app.idempotency_keys;"
    " create policy own_principal on app.idempotency_keys as permissive for all to public"
    " using (true)": "policy own_principal on app.idempotency_keys",
    # row-level security
    "alter table app.projects disable row level security": (
        "row-level security of table app.projects"
    ),
    "alter table auth.credentials no force row level security": (
        "forced row-level security of table auth.credentials"
    ),
    # grants
    "grant select on app.users to public": "SELECT on table app.users to public",
    "grant delete on app.projects to saas_api": "DELETE on table app.projects to saas_api",
    "grant update (organisation_id) on app.projects to saas_api": (
        "UPDATE (organisation_id) on table app.projects to saas_api"
    ),
    "grant select on app.projects to saas_api with grant option": (
        "SELECT on table app.projects to saas_api"
    ),
    "revoke select on app.projects from saas_api": "SELECT on table app.projects to saas_api",
    "revoke update (name) on app.projects from saas_api": (
        "UPDATE (name) on table app.projects to saas_api"
    ),
    "grant select on api.users to saas_dba": "SELECT on view api.users to saas_dba",
    "grant execute on function gate.seal(bytea, bytea, uuid, uuid, uuid, text, text) to saas_api": (
        "EXECUTE on function gate.seal(bytea,bytea,uuid,uuid,uuid,text,text) to saas_api"
    ),
    "grant execute on function audit.drop_partitions(integer) to public": (
        "EXECUTE on function audit.drop_partitions(integer) to public"
    ),
    "revoke execute on function api.get_me from saas_api": (
        "EXECUTE on function api.get_me(bytea,text) to saas_api"
    ),
    "grant usage on schema auth to saas_api": "USAGE on schema auth to saas_api",
    "grant create on schema app to saas_api": "CREATE on schema app to saas_api",
    "grant create on schema public to public": "CREATE on schema public to public",
    "grant usage on domain audit.changes to public": "USAGE on domain audit.changes to public",
    "alter default privileges for role saas_owner grant execute on functions to public": (
        "default privileges of saas_owner: EXECUTE on functions withheld from public"
    ),
    "alter default privileges for role saas_owner in schema app"
    " grant select on tables to saas_api": (
        "default privileges of saas_owner in app: SELECT on tables to saas_api"
    ),
    "grant execute on function pg_catalog.pg_notify(text, text) to public": (
        "EXECUTE on function pg_notify(text,text) withheld from public"
    ),
    "grant execute on function pg_catalog.pg_read_file(text) to saas_api": (
        "EXECUTE on function pg_read_file(text) to saas_api"
    ),
    "grant select on pg_catalog.pg_authid to saas_api": "SELECT on table pg_authid to saas_api",
    "grant set on parameter session_replication_role to saas_api": (
        "SET on parameter session_replication_role to saas_api"
    ),
    # functions
    CONTEXT: "function gate.sealed(text,text)",
    "alter function gate.sealed(text, text) security invoker": "function gate.sealed(text,text)",
    "alter function api.get_me(bytea, text) security definer": "function api.get_me(bytea,text)",
    "alter function gate.sealed(text, text) reset search_path": "function gate.sealed(text,text)",
    "alter function gate.enter(bytea, text, uuid, text) set app.role = 'owner'": (
        "function gate.enter(bytea,text,uuid,text)"
    ),
    "alter function ctx.tenant_id() immutable": "function ctx.tenant_id()",
    "alter function app.touch() owner to saas_api": "owner of function app.touch()",
    "alter function api.contains_folded(text, text) leakproof": (
        "function api.contains_folded(text,text)"
    ),
    "drop function api.get_project(bytea, text, uuid, uuid)": (
        "function api.get_project(bytea,text,uuid,uuid)"
    ),
    "drop function api.get_me; create function api.get_me(bytea, text) returns text language sql"
    " as 'select null::text'": "function api.get_me(bytea,text)",
    "create function api.open(text) returns text language sql as 'select $1'": (
        "function api.open(text)"
    ),
    "create procedure app.work() language sql as ''": "procedure app.work()",
    "alter function pg_catalog.texteq(text, text) leakproof": (
        "leakproof mark of function texteq(text,text)"
    ),
    # triggers and rules
    "alter table app.memberships disable trigger _500_last_owner": (
        "disabled trigger _500_last_owner on app.memberships"
    ),
    "alter table app.projects enable replica trigger _900_audit_insert": (
        "replica trigger _900_audit_insert on app.projects"
    ),
    "drop trigger _100_append_only on audit.events": "trigger _100_append_only on audit.events",
    "create or replace trigger _900_audit_insert after insert on app.projects for each row"
    " when (false) execute function app.touch()": "trigger _900_audit_insert on app.projects",
    "create trigger extra before insert on app.projects for each row"
    " execute function app.touch()": "trigger extra on app.projects",
    "create rule quiet as on delete to app.projects do instead nothing": (
        "rule quiet on app.projects"
    ),
    "create function public.watch() returns event_trigger language plpgsql as 'begin end';"
    " create event trigger watch on ddl_command_end execute function public.watch()": (
        "event trigger watch"
    ),
    "drop event trigger guard_drops": "event trigger guard_drops",
    "alter event trigger guard_commands disable": "disabled event trigger guard_commands",
    "drop schema guard cascade": "schema guard",
    "create or replace function guard.judge() returns trigger language plpgsql"
    " as 'begin return null; end'": "function guard.judge()",
    "alter function guard.note_drops() owner to saas_owner": (
        "owner of function guard.note_drops()"
    ),
    # views
    "alter view api.projects reset (security_invoker)": "view api.projects",
    "create or replace view api.members with (security_invoker = true) as"
    " select * from api.members where role <> 'owner'": "view api.members",
    "drop view api.projects; create view api.projects as select * from app.projects": (
        "view api.projects"
    ),
    "create view app.all_projects as select * from app.projects": "view app.all_projects",
    # tables, columns, constraints, indexes
    "alter table app.projects owner to saas_api": "owner of table app.projects",
    "alter schema app owner to saas_migrator": "owner of schema app",
    "alter table app.projects drop constraint projects_name_not_blank": (
        "constraint projects_name_not_blank on app.projects"
    ),
    "alter domain audit.changes drop constraint events_changes_no_secret_name": (
        "constraint events_changes_no_secret_name on domain audit.changes"
    ),
    "alter table app.projects alter column status set default 'archived'": (
        "default of column app.projects.status"
    ),
    "alter table app.projects alter column status drop default": (
        "default of column app.projects.status"
    ),
    "alter table app.projects alter column name drop not null": (
        "constraint projects_name_not_null on app.projects"
    ),
    "alter table auth.passwords alter column parameters type varchar(200)": (
        "column auth.passwords.parameters"
    ),
    "alter table app.projects drop column deleted_at cascade": "column app.projects.deleted_at",
    "alter table app.projects add column price integer": "column app.projects.price",
    "drop index app.memberships_user_id_idx": "index app.memberships_user_id_idx",
    "create unique index one_name on app.projects (name)": "index app.one_name",
    "create table app.notes (body text)": "table app.notes",
    "create table public.child () inherits (app.users)": "place of table public.child in app.users",
    "create type app.mood as enum ('good')": "type app.mood",
    "drop table app.api_key_uses cascade": "table app.api_key_uses",
    "alter table deploy.schema_version set (autovacuum_enabled = off)": (
        "storage parameter autovacuum_enabled of table deploy.schema_version"
    ),
    "comment on table app.projects is 'Whatever.'": "comment of table app.projects",
    # partitions
    f"alter table {PARTITION} no force row level security": (
        f"forced row-level security of table {PARTITION}"
    ),
    f"grant select on {PARTITION} to saas_api": f"SELECT on table {PARTITION} to saas_api",
    f"drop trigger _100_append_only on {PARTITION}": f"trigger _100_append_only on {PARTITION}",
    f"alter table audit.events detach partition {PARTITION}": (
        f"place of table {PARTITION} in audit.events"
    ),
    "create table audit.events_of_mine (like audit.events)": "table audit.events_of_mine",
    "alter table audit.events detach partition audit.events_default": (
        "place of table audit.events_default in audit.events"
    ),
    # names
    "alter table app.projects rename column description to descr": (
        "column app.projects.description"
    ),
    "alter table app.projects rename to projs": "table app.projects",
    "alter view api.projects rename column name to nom": "view api.projects",
    # beside the tables
    "create statistics app.st on name, status from app.projects": "statistics object app.st",
    "create publication p for all tables": "publication p",
    "create publication q for table app.projects": "publication q",
    "create publication r for tables in schema audit": "publication r",
    "alter view api.projects alter column status set default 'archived'": (
        "default of column api.projects.status"
    ),
    "create view public.v as select name from app.projects;"
    " create view public.w as select name from public.v": ("view public.w with its owner's rights"),
    "create materialized view public.v as select name from app.projects": (
        "materialized view public.v with its owner's rights"
    ),
    "grant select (rolpassword) on pg_authid to saas_api": (
        "SELECT (rolpassword) on table pg_authid to saas_api"
    ),
    "update pg_language set lanpltrusted = true where lanname = 'c';"
    " grant usage on language c to saas_api": "USAGE on language c to saas_api",
    "create foreign data wrapper elsewhere;"
    " grant usage on foreign data wrapper elsewhere to saas_api": (
        "USAGE on foreign data wrapper elsewhere to saas_api"
    ),
    "create foreign data wrapper elsewhere; create server s foreign data wrapper elsewhere;"
    " grant usage on foreign server s to saas_dba": "USAGE on foreign server s to saas_dba",
    # roles
    "alter role saas_api superuser": "role saas_api",
    "alter role saas_api connection limit 5": "role saas_api",
    "alter role saas_api valid until '2031-01-01'": "role saas_api",
    "alter role saas_gate bypassrls": "role saas_gate",
    "alter role saas_dba createrole": "role saas_dba",
    "alter role saas_owner login": "role saas_owner",
    "alter role saas_migrator inherit": "role saas_migrator",
    "alter role saas_api reset statement_timeout": "setting statement_timeout of role saas_api",
    "alter role all set session_replication_role = replica": (
        "setting session_replication_role of role all"
    ),
    "alter role saas_api set row_security = off": "setting row_security of role saas_api",
    "grant saas_owner to saas_api with inherit true": (
        "membership of saas_api in saas_owner, inherit true, set true, admin false"
    ),
    "grant saas_gate to saas_migrator with inherit true, set true": (
        "membership of saas_migrator in saas_gate, inherit true, set true, admin false"
    ),
    "revoke saas_audit from saas_migrator": (
        "membership of saas_migrator in saas_audit, inherit false, set true, admin false"
    ),
    "grant pg_read_all_data to saas_dba with inherit true": (
        "membership of saas_dba in pg_read_all_data, inherit true, set true, admin false"
    ),
}


@pytest.fixture(scope="module")
def live(postgres: Server) -> Iterator[Database]:
    """A migrated database with one more partition."""
    with databases.clone(postgres, databases.MIGRATED) as fresh:
        with psycopg.connect(fresh.migration_url, autocommit=True) as connection:
            connection.execute("set role saas_owner")
            connection.execute(
                "select audit.add_partition('events_2031_05',"
                " 'for values from (''2031-05-01Z'') to (''2031-06-01Z'')', 'May.')"
            )
        yield fresh


@pytest.fixture(scope="module")
def wanted(live: Database) -> Catalogue:
    """What the files make."""
    with (
        databases.migrated_server(live.name) as server,
        urls.connect(server.url("postgres", live.name), name="scratch") as connection,
    ):
        return diff.read_wanted(connection)


@pytest.fixture
def admin(live: Database) -> Iterator[psycopg.Connection]:
    """A superuser's connection, in a transaction that is rolled back: roles are everybody's."""
    with psycopg.connect(live.admin_url) as connection:
        connection.execute("set local search_path = pg_catalog")
        connection.execute("set local check_function_bodies = off")
        yield connection
        connection.rollback()


def compare(wanted: Catalogue, connection: psycopg.Connection) -> list[Difference]:
    schemas = [name.removeprefix("schema ") for name in wanted if name.startswith("schema ")]
    schemas.remove("public")
    return diff.compare(wanted, diff.read(connection, schemas), files.tree())


@pytest.mark.parametrize("statement", TAMPERINGS)
def test_tampering_is_named_and_mended(
    statement: str, wanted: Catalogue, admin: psycopg.Connection
) -> None:
    admin.execute(statement.encode())
    found = compare(wanted, admin)
    assert TAMPERINGS[statement] in [difference.name for difference in found]
    assert len(found) < 60
    for difference in found:
        for each in difference.mend:
            admin.execute(each.encode())
    assert compare(wanted, admin) == []


@pytest.mark.parametrize(
    ("statement", "back"),
    [
        (
            "alter table app.projects rename column description to descr",
            "alter table app.projects rename column descr to description",
        ),
        ("alter table app.projects rename to projs", "alter table app.projs rename to projects"),
    ],
)
def test_renamed_keeps_its_rows(
    statement: str, back: str, wanted: Catalogue, admin: psycopg.Connection
) -> None:
    admin.execute(statement.encode())
    first, *rest = compare(wanted, admin)
    assert (first.fault, first.mend) == ("renamed", (back,))
    mends = [each for difference in rest for each in difference.mend]
    assert not [each for each in mends if each.startswith("drop table") or "drop column" in each]


def test_unchanged_database_has_no_difference(wanted: Catalogue, admin: psycopg.Connection) -> None:
    assert compare(wanted, admin) == []


def test_maintained_database_has_no_difference(database: Database) -> None:
    with psycopg.connect(database.admin_url) as connection:
        connection.execute(LATE)
    maintain.run(database.migration_url)
    with psycopg.connect(database.admin_url) as connection:
        query = "select name from audit.partitions()"
        names = [name for (name,) in connection.execute(query).fetchall()]
    assert len(names) == 14
    assert "events_2020_01_to_2020_03" in names
    said: list[str] = []
    assert diff.differences(database.migration_url, say=said.append) == []
    assert said == []


def test_partition_with_other_bounds_than_its_name_is_named(
    wanted: Catalogue, admin: psycopg.Connection
) -> None:
    admin.execute(
        "select audit.add_partition('events_2031_12',"
        " 'for values from (''2032-01-01Z'') to (''2032-02-01Z'')', 'Not December.')"
    )
    found = {difference.name: difference for difference in compare(wanted, admin)}
    place = found["place of table audit.events_2031_12 in audit.events"]
    assert "FROM ('2031-12-01 00:00:00+00') TO ('2032-01-01 00:00:00+00')" in place.mend[-1]


def test_differences_name_their_files(wanted: Catalogue, admin: psycopg.Connection) -> None:
    expected = {
        "drop policy tenant_isolation on app.projects": "policies/projects.sql",
        "alter table auth.seal_key disable row level security": (
            "sql/migrations/0003_credentials.sql"
        ),
        "grant delete on app.users to saas_api": "policies/users.sql",
        "grant usage on schema auth to saas_api": "policies/schemas.sql",
        "alter function gate.sealed(text, text) volatile": "sql/functions/gate/sealed.sql",
        "alter view api.members reset (security_invoker)": "sql/views/api/members.sql",
        "drop trigger _500_last_owner on app.memberships": "sql/triggers/memberships.sql",
        "drop index app.users_email_key": "sql/migrations/0002_users.sql",
        "alter role saas_dba login": "sql/bootstrap.sql",
        "drop event trigger guard_drops": "sql/guard.sql",
        "create table guard.extra ()": "sql/guard.sql",
        "grant usage on schema guard to saas_api": "sql/guard.sql",
        "create table deploy.extra ()": "sql/ledger.sql",
        "create schema nobodys; create table app.mine ()": None,
    }
    for statement, source in expected.items():
        with admin.transaction(force_rollback=True):
            admin.execute(statement.encode())
            assert compare(wanted, admin)[0].source == source, statement


def test_schema_of_the_users_own_is_nobodys_business(
    wanted: Catalogue, admin: psycopg.Connection
) -> None:
    admin.execute(
        "create schema reports; create table reports.totals (n integer);"
        " create function reports.f() returns integer language sql as 'select 1';"
        " create view reports.names with (security_barrier, security_invoker = yes)"
        " as select name from app.projects;"
        " create publication reports for table reports.totals;"
        " create role report_writer; grant usage on schema reports to report_writer;"
        " grant saas_dba to report_writer"
    )
    assert compare(wanted, admin) == []


def test_role_that_cannot_read_the_version_says_so_and_compares(database: Database) -> None:
    with psycopg.connect(database.admin_url) as connection:
        connection.execute("set event_triggers = off")
        connection.execute("alter table app.projects no force row level security")
    said: list[str] = []
    found = diff.differences(database.url("saas_api"), say=said.append)
    assert [d.name for d in found] == ["forced row-level security of table app.projects"]
    assert said == [
        "saas_api cannot read the schema version, taken for right "
        '(permission denied to set role "saas_owner")'
    ]


def test_database_of_another_schema_is_for_migrate(
    database: Database, empty_database: Database
) -> None:
    with pytest.raises(Failure, match=r"at schema none, .* run saas-api migrate first"):
        diff.differences(empty_database.migration_url)
    with psycopg.connect(database.admin_url) as connection:
        connection.execute("update deploy.schema_version set version = 'older'")
    with pytest.raises(Failure, match=r"at schema older, .* run saas-api migrate first"):
        diff.differences(database.migration_url)


def test_command_prints_what_psql_can_run_and_changes_nothing(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with psycopg.connect(database.admin_url) as connection:
        connection.execute("set event_triggers = off")
        connection.execute("drop policy tenant_isolation on app.projects")
    arguments = ["policies", "diff", "--url", database.migration_url]
    assert cli.main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.err == "saas-api: 2 differences\n"  # the policy and its comment
    with psycopg.connect(database.admin_url) as connection:
        query = "select from pg_policies where (tablename, policyname) = ('projects', %s)"
        assert connection.execute(query, ["tenant_isolation"]).fetchall() == []
    mend = tmp_path / "mend.sql"
    mend.write_text(printed.out)
    command: list[str | Path] = [
        embedded.program("psql"),
        "-Xqv",
        "ON_ERROR_STOP=1",
        "-f",
        mend,
        database.admin_url,
    ]
    subprocess.run(command, check=True)
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out == "no difference\n"


@pytest.mark.parametrize("arguments", [["--uri", "x"], ["extra"], ["--url"]])
def test_command_used_wrongly_is_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["policies", "diff", *arguments])
    assert stopped.value.code == 2
