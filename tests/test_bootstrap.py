"""Roles and database on a server that has none of ours yet."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from api import bootstrap, doctor, embedded, migrate
from api.embedded import EmbeddedServer
from api.failure import Failure
from api.settings import Settings

ROLES = (
    "select rolname, rolcanlogin, rolsuper, rolbypassrls, rolcreaterole from pg_roles"
    " where rolname like 'saas%' order by 1"
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedServer]:
    """A server of this module's own: roles belong to a whole server."""
    directory = Path(tempfile.mkdtemp(prefix="saas-api-bootstrap-"))
    yield embedded.ensure_running(directory, settings={"fsync": "off"})
    embedded.stop(directory)
    shutil.rmtree(directory)


@pytest.fixture
def server(cluster: EmbeddedServer) -> Iterator[EmbeddedServer]:
    """It, with no role but `postgres` and `boss`, who may create roles and databases."""
    ask(cluster, "create role boss login createrole createdb")
    yield cluster
    for database in ("shop", "old", "saas"):
        ask(cluster, f"drop database if exists {database} with (force)")
    for (role,) in ask(cluster, "select quote_ident(rolname) from pg_roles where oid >= 16384"
                       " order by rolname = 'boss'"):  # fmt: skip
        ask(cluster, f"drop role {role}")


def ask(server: EmbeddedServer, query: str, database: str = "postgres") -> list[tuple[object, ...]]:
    with psycopg.connect(server.url("postgres", database), autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


def saas_api(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SAAS_API_", "PG"))}
    return subprocess.run(
        [sys.executable, "-m", "api.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**inherited, **environ},
    )


@pytest.mark.parametrize("admin", ["postgres", "boss"])
def test_bootstrap_twice_makes_it_all_once(server: EmbeddedServer, admin: str) -> None:
    """Also as an admin who is no superuser, who afterwards is member of nothing they can use."""
    url = server.url(admin, "postgres")
    invented = bootstrap.bootstrap(url, database="shop", invent_passwords=True)
    assert set(invented) == {"saas_api", "saas_migrator"}
    roles = ask(server, ROLES)
    assert [role[1:] for role in roles] == [
        (role[0] in invented, False, False, False) for role in roles
    ]
    assert len(roles) == 6
    passwords = ask(server, "select rolname, rolpassword from pg_authid where rolpassword <> ''")
    assert {name for name, _ in passwords} == set(invented)
    assert all(str(password).startswith("SCRAM-SHA-256$") for _, password in passwords)

    assert bootstrap.bootstrap(url, database="shop", invent_passwords=True) == {}
    assert ask(server, ROLES) == roles
    assert passwords == ask(
        server, "select rolname, rolpassword from pg_authid where rolpassword <> ''"
    )
    assert ask(
        server,
        "select datdba::regrole::text, datlocprovider::text, pg_encoding_to_char(encoding),"
        " has_database_privilege('saas_api', 'shop', 'temp'),"
        " has_database_privilege('saas_api', 'shop', 'connect'),"
        " pg_has_role('boss', 'saas_owner', 'set') from pg_database where datname = 'shop'",
    ) == [("saas_owner", "b", "UTF8", False, True, False)]
    version = migrate.run(server.url("saas_migrator", "shop"))
    assert migrate.current_version(server.url("saas_api", "shop")) == version

    # Event triggers are for a superuser to make; doctor says what is lacking then.
    said = [
        f for f in doctor.examine(server.url("saas_api", "shop"), Settings()) if "DDL" in f.name
    ]
    if admin == "postgres":
        assert [finding.level for finding in said] == ["ok"]
    else:
        assert [finding.level for finding in said] == ["warning", "warning"]
        assert "guard_commands is missing or disabled; run saas-api bootstrap as a superuser" in (
            said[0].text
        )


CALLABLE = (
    "select oid::regprocedure::text from pg_proc"
    " where has_function_privilege('saas_api', oid, 'execute')"
)


def test_doctor_says_what_an_admin_without_superuser_rights_leaves(server: EmbeddedServer) -> None:
    """All of it: what a superuser's bootstrap would have taken away."""
    bootstrap.bootstrap(server.url("boss", "postgres"), database="shop")
    migrate.run(server.url("saas_migrator", "shop"))
    url = server.url("saas_api", "shop")
    left = {finding.name: finding.text for finding in doctor.examine(url, Settings())}
    callable_before = ask(server, CALLABLE, "shop")

    bootstrap.bootstrap(server.url("postgres", "postgres"), database="shop")
    withdrawn = {str(f) for (f,) in set(callable_before) - set(ask(server, CALLABLE, "shop"))}
    (said,) = (text for text in left.values() if text.startswith("saas_api may call "))
    listed = said.removeprefix("saas_api may call ").partition(";")[0]
    assert set(re.findall(r"\w+\([^)]*\)", listed)) == withdrawn
    assert len(withdrawn) > 40
    assert "so is " in left["only the equality of ids is leakproof"]
    after = doctor.examine(url, Settings())
    assert [f for f in after if f.level != "ok" and "has the fixes" not in f.name] == []


def test_bootstrap_takes_away_what_was_added_to_a_role(server: EmbeddedServer) -> None:
    url = server.url("postgres", "postgres")
    bootstrap.bootstrap(url, database="shop")
    roles = ask(server, ROLES)
    ask(server, "alter role saas_api superuser createrole bypassrls")
    ask(server, "alter role saas_gate login")
    bootstrap.bootstrap(url, database="shop")
    assert ask(server, ROLES) == roles


def test_bootstrap_by_a_role_that_may_not_is_refused(server: EmbeddedServer) -> None:
    ask(server, "create role guest login")
    with pytest.raises(Failure, match="the admin may not do this"):
        bootstrap.bootstrap(server.url("guest", "postgres"), database="shop")


def test_bootstrap_of_an_old_server_is_refused(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "OLDEST_SERVER", 19)
    with pytest.raises(Failure, match=r"this server is PostgreSQL 18\.\d+: 19 or newer is needed"):
        bootstrap.bootstrap(server.url("postgres", "postgres"), database="shop")


def test_bootstrap_of_a_database_in_another_encoding_is_refused(server: EmbeddedServer) -> None:
    ask(server, "create database old encoding 'LATIN1' template template0 locale_provider libc")
    with pytest.raises(Failure, match="the database old is in LATIN1"):
        bootstrap.bootstrap(server.url("postgres", "postgres"), database="old")


def test_command_prints_invented_urls_once(server: EmbeddedServer) -> None:
    url = server.url("postgres", "postgres")
    first, second = (saas_api("bootstrap", "--admin-url", url) for _ in range(2))
    lines = first.stdout.splitlines()
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert lines[0].startswith("SAAS_API_DATABASE_URL='postgresql://saas_api:")
    assert lines[1].startswith("SAAS_API_MIGRATION_DATABASE_URL='postgresql://saas_migrator:")
    assert second.stdout == ""
    assert "password of saas_api was left as it is" in second.stderr
    assert "run saas-api migrate" in second.stderr


def test_command_sets_the_passwords_of_the_urls(server: EmbeddedServer) -> None:
    environ = {
        "SAAS_API_DATABASE_URL": "postgresql://saas_api:one@db.example/shop",
        "SAAS_API_MIGRATION_DATABASE_URL": "postgresql://saas_migrator:two@db.example/shop",
    }
    url = server.url("postgres", "postgres")
    result = saas_api("bootstrap", "--admin-url", url, **environ)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    assert ask(server, "select count(*) from pg_authid where rolname like 'saas%'"
               " and rolpassword like 'SCRAM%'") == [(2,)]  # fmt: skip
    assert ask(server, "select 1 from pg_database where datname = 'shop'") == [(1,)]


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"SAAS_API_DATABASE_URL": "postgresql://postgres@db.example/shop"},
            "SAAS_API_DATABASE_URL must name the role saas_api",
        ),
        (
            {
                "SAAS_API_DATABASE_URL": "postgresql://saas_api@db.example/shop",
                "SAAS_API_MIGRATION_DATABASE_URL": "postgresql://saas_migrator@db.example/other",
            },
            "name different databases",
        ),
    ],
)
def test_command_with_contradicting_urls_is_refused(environ: dict[str, str], message: str) -> None:
    result = saas_api("bootstrap", "--admin-url", "postgresql://nobody@127.0.0.1:1/x", **environ)
    assert result.returncode == 1
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
