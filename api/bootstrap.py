"""Roles and database, on the embedded server and on any PostgreSQL 18 or newer alike."""

import secrets
from collections.abc import Iterable, Mapping

import psycopg
from psycopg import sql

from api import files, urls
from api.failure import Failure

OLDEST_SERVER = 18
LOGIN_ROLES = ("saas_api", "saas_migrator")


def bootstrap(
    admin_url: str,
    *,
    database: str,
    passwords: Mapping[str, str] | None = None,
    invent_passwords: bool = False,
) -> dict[str, str]:
    """
    Make the roles, the database and the ledger as far as they are missing; safe to run twice.

    `passwords` are set as given, by login role; with `invent_passwords` a login role that is new
    and not among them gets a random one. The server is only ever sent SCRAM verifiers.
    Returns: the invented passwords by role.
    Errors: Failure when the server is too old, or the admin may not.
    Source: sql/bootstrap.sql, sql/guard.sql, sql/ledger.sql
    """
    try:
        with urls.connect(admin_url, name="the admin URL", **_database(admin_url)) as admin:
            _check_server(admin)
            new = set(LOGIN_ROLES) - _roles(admin)
            _create_database(admin, database)
        invented = {
            role: secrets.token_urlsafe(32)
            for role in LOGIN_ROLES
            if invent_passwords and role in new and role not in (passwords or {})
        }
        with urls.connect(admin_url, name="the admin URL", dbname=database) as connection:
            _fill(connection, {**(passwords or {}), **invented})
    except psycopg.errors.InsufficientPrivilege as error:
        raise Failure(
            f"the admin may not do this ({error.diag.message_primary}): use a superuser, "
            "or the role with CREATEROLE and CREATEDB that did it the first time"
        ) from None
    except psycopg.Error as error:
        raise Failure(f"bootstrap failed and changed no role: {error}") from None
    return invented


def _database(admin_url: str) -> dict[str, str]:
    """Connect to `postgres` unless the admin's URL names a database."""
    return {} if "dbname" in urls.parse(admin_url, name="the admin URL") else {"dbname": "postgres"}


def _check_server(admin: psycopg.Connection) -> None:
    if admin.info.server_version < OLDEST_SERVER * 10000:
        raise Failure(
            f"this server is PostgreSQL {admin.info.parameter_status('server_version')}: "
            f"{OLDEST_SERVER} or newer is needed"
        )


def _roles(admin: psycopg.Connection) -> set[str]:
    return {name for (name,) in admin.execute("select rolname from pg_catalog.pg_roles")}


def _create_database(admin: psycopg.Connection, database: str) -> None:
    """Make the database: UTF-8, and sorted the same on every machine."""
    found = admin.execute(
        "select pg_catalog.pg_encoding_to_char(encoding) from pg_catalog.pg_database"
        " where datname = %s",
        [database],
    ).fetchone()
    if found is None:
        statement = (
            "create database {} template template0 encoding 'UTF8' locale 'C'"
            " locale_provider builtin builtin_locale 'C.UTF-8'"
        )
        admin.execute(sql.SQL(statement).format(sql.Identifier(database)))
    elif found[0] != "UTF8":
        raise Failure(f"the database {database} is in {found[0]}, not UTF8: use another name")


def _fill(connection: psycopg.Connection, passwords: Mapping[str, str]) -> None:
    """Roles, the guard, passwords and ledger, in one transaction."""
    tree = files.tree()
    with connection.transaction():
        already_member = _may_become_owner(connection)
        connection.execute((tree.sql / "bootstrap.sql").read_bytes())
        if _is_superuser(connection):
            connection.execute((tree.sql / "guard.sql").read_bytes())
        _set_passwords(connection, passwords.items())
        connection.execute("set local role saas_owner")
        connection.execute((tree.sql / "ledger.sql").read_bytes())
        connection.execute("reset role")
        if not already_member:
            connection.execute("revoke saas_owner from current_user")


def _is_superuser(connection: psycopg.Connection) -> bool:
    return connection.info.parameter_status("is_superuser") == "on"


def _may_become_owner(connection: psycopg.Connection) -> bool:
    query = (
        "select from pg_catalog.pg_roles"
        " where rolname = 'saas_owner' and pg_catalog.pg_has_role(current_user, oid, 'set')"
    )
    return _is_superuser(connection) or connection.execute(query).fetchone() is not None


def _set_passwords(connection: psycopg.Connection, passwords: Iterable[tuple[str, str]]) -> None:
    for role, password in passwords:
        verifier = connection.pgconn.encrypt_password(
            password.encode(), role.encode(), b"scram-sha-256"
        )
        connection.execute(
            sql.SQL("alter role {} password {}").format(
                sql.Identifier(role), sql.Literal(verifier.decode())
            )
        )
