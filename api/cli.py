"""
The command `saas-api`: serve, migrate, maintain, psql, doctor, policies, new-table and others.

Whatever goes wrong ends in one line on stderr that says what to do. Exit status: 0, 1 when it
failed, 2 for wrong usage.
"""

import argparse
import dataclasses
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from api import __version__, embedded, maintain, migrate, new_table, urls
from api.bootstrap import LOGIN_ROLES, bootstrap
from api.embedded import DATABASE, EmbeddedServer
from api.failure import Failure
from api.policies import commands as policy_commands
from api.settings import Settings, is_production, load

DIRECTORY = Path(".data")
URL_VARIABLES = {
    "saas_api": "SAAS_API_DATABASE_URL",
    "saas_migrator": "SAAS_API_MIGRATION_DATABASE_URL",
}
OWNERS = ("saas_owner", "saas_gate", "saas_audit")  # what saas_migrator may become

EMBEDDED_ROLES = (*URL_VARIABLES, *OWNERS, "saas_dba", "postgres")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if options.command is _psql:
        options.arguments = _without_dashes(rest)
    elif rest:
        parser.error(f"unknown: {' '.join(rest)}")
    try:
        return int(options.command(options))
    except Failure as error:
        say(str(error))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if os.environ.get("SAAS_API_LOG_LEVEL", "").upper() == "DEBUG":
            raise
        text = " ".join(str(error).split())
        say(f"{type(error).__name__}: {text} (SAAS_API_LOG_LEVEL=DEBUG shows where)")
    return 1


def say(line: str) -> None:
    """Progress and complaints: stderr, so that stdout is only what was asked for."""
    print(f"saas-api: {line}", file=sys.stderr, flush=True)


class _Parser(argparse.ArgumentParser):
    """Wrong usage is one line, like all that goes wrong."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"saas-api: {' '.join(message.split())} (see {self.prog} --help)\n")


def _without_dashes(arguments: list[str]) -> list[str]:
    """What is for psql; a `--` may set it off."""
    if "--" not in arguments:
        return arguments
    first = arguments.index("--")
    return arguments[:first] + arguments[first + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="saas-api", description=__doc__.split("\n")[1])
    parser.add_argument("--version", action="version", version=f"saas-api {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("serve", help="serve the API")
    command.add_argument("--host", help="where to listen (SAAS_API_HOST)")
    command.add_argument("--port", help="0 for any free one (SAAS_API_PORT)")
    command.add_argument("--workers", help="number of processes (SAAS_API_WORKERS)")
    command.set_defaults(command=_serve)

    command = commands.add_parser("migrate", help="bring the database to this build's schema")
    command.add_argument("--plan", action="store_true", help="say what would be done, do nothing")
    command.set_defaults(command=_migrate)

    command = commands.add_parser("maintain", help="make audit partitions, remove what has expired")
    command.add_argument(
        "--keep-audit-months",
        type=int,
        metavar="N",
        help="drop audit events older than N whole months; default: keep all",
    )
    command.set_defaults(command=_maintain)

    command = commands.add_parser("bootstrap", help="make roles and database on a server")
    command.add_argument("--admin-url", required=True, help="libpq URL of a superuser or creator")
    command.set_defaults(command=_bootstrap)

    command = commands.add_parser(
        "psql",
        help="open psql on the database",
        epilog="Everything else is handed to psql: saas-api psql -c 'select 1'",
        allow_abbrev=False,
    )
    command.add_argument("--role", help="default: saas_api; with --as, saas_dba")
    command.add_argument("--url", help="of another login role, such as a DBA's own")
    command.add_argument("--as", dest="who", help="become the user with this email, or a role")
    command.add_argument("--org", default="", help="with --as: the organisation, by name or id")
    command.add_argument("--write", action="store_true", help="with --as: changes are allowed")
    command.set_defaults(command=_psql)

    command = commands.add_parser("url", help="print the libpq URL of a role")
    command.add_argument("--role", default="saas_api", help="default: saas_api")
    command.set_defaults(command=_url)

    command = commands.add_parser("doctor", help="check that the database is as safe as designed")
    command.set_defaults(command=_doctor)

    policy_commands.add(commands, role_url=role_url, say=say)

    command = commands.add_parser("new-table", help="write the files of a new tenant table")
    command.add_argument("name", metavar="NAME", help="of the table, in the plural: invoices")
    command.add_argument("--singular", help="what one of it is, where that is not plain")
    command.add_argument(
        "--dry-run", action="store_true", help="print it as a patch, write nothing"
    )
    command.set_defaults(command=_new_table)

    command = commands.add_parser("openapi", help="print the API's description, OpenAPI 3.1")
    command.set_defaults(command=_openapi)

    command = commands.add_parser("stop", help="stop the embedded PostgreSQL")
    command.set_defaults(command=_stop)
    return parser


def _serve(options: argparse.Namespace) -> int:
    given = {
        f"SAAS_API_{name.upper()}": value
        for name in ("host", "port", "workers")
        if (value := getattr(options, name)) is not None
    }
    settings = load({**os.environ, **given})

    from api import server as http  # only this command needs the HTTP stack

    # First of all, so that a second server on a port that is taken changes nothing.
    listener = http.listen(settings.host, settings.port)
    if settings.database_url is None:
        server = _embedded()
        url = server.url("saas_migrator")
        if steps := migrate.plan(url).lines():
            say(f"migrating the database ({len(steps)} steps)")
            migrate.run(url)
        maintain.run(url)
        settings = dataclasses.replace(settings, database_url=server.url())
    return http.serve(settings, listener)


def _migrate(options: argparse.Namespace) -> int:
    url = role_url("saas_migrator")
    if not options.plan:
        migrate.run(url, say=say)
        maintain.run(url)
        return 0
    todo = migrate.plan(url)
    for line in todo.lines() or [f"nothing to do: schema {todo.version}"]:
        print(line)
    return 0


def _maintain(options: argparse.Namespace) -> int:
    months: int | None = options.keep_audit_months
    if months is not None and months < 0:
        raise Failure("--keep-audit-months must be 0 or more")
    maintain.run(role_url("saas_migrator"), keep_audit_months=months, say=say)
    return 0


def _bootstrap(options: argparse.Namespace) -> int:
    given = {
        role: urls.parse(os.environ[name], name=name)
        for role, name in URL_VARIABLES.items()
        if os.environ.get(name)
    }
    for role, parts in given.items():
        if parts.get("user") != role:
            raise Failure(f"{URL_VARIABLES[role]} must name the role {role}")
    databases = {parts.get("dbname") or role for role, parts in given.items()} or {DATABASE}
    if len(databases) > 1:
        raise Failure(f"{' and '.join(URL_VARIABLES.values())} name different databases")
    database = databases.pop()
    passwords = {r: str(p["password"]) for r, p in given.items() if p.get("password")}
    invented = bootstrap(
        options.admin_url, database=database, passwords=passwords, invent_passwords=not given
    )
    for role, password in invented.items():
        url = urls.replace(options.admin_url, user=role, password=password, dbname=database)
        print(f"{URL_VARIABLES[role]}='{url}'")
    if invented:
        say("keep these URLs, they are shown only now")
    for role in set(LOGIN_ROLES) - given.keys() - invented.keys():
        say(f"the password of {role} was left as it is")
    say(f"roles and database {database} are there: run saas-api migrate")
    return 0


def _psql(options: argparse.Namespace) -> int:
    role = options.role or ("saas_dba" if options.who else "saas_api")
    # The API's own idle limit is not for a person who types.
    url = _with_option(options.url or role_url(role), "idle_in_transaction_session_timeout=0")
    parts = urls.parse(url, name="the URL")
    password = parts.pop("password", None)
    program = shutil.which("psql") or str(embedded.program("psql"))
    environ = {**os.environ, "PGPASSWORD": str(password)} if password else dict(os.environ)
    if options.who:
        environ["PSQLRC"] = str(Path(__file__).with_name("impersonate.psqlrc"))
        environ |= {"AS_PSQL": program, "AS_URL": urls.build(parts)}
        options.arguments[:0] = [
            *("-v", f"as={options.who}", "-v", f"org={options.org}"),
            *("-v", f"read_only={'false' if options.write else 'true'}"),
        ]
    os.execve(program, [program, urls.build(parts), *options.arguments], environ)  # noqa: S606


def _url(options: argparse.Namespace) -> int:
    print(role_url(options.role))
    return 0


def _doctor(_options: argparse.Namespace) -> int:
    from api.doctor import examine

    settings = load(os.environ)
    failed = False
    for finding in examine(settings.database_url or _embedded().url(), settings):
        print(finding.line(), flush=True)
        failed |= finding.level == "failure"
    return int(failed)


def _new_table(options: argparse.Namespace) -> int:
    root = new_table.checkout()
    changes = new_table.plan(root, options.name, options.singular)
    if options.dry_run:
        print("".join(change.patch() for change in changes), end="")
        return 0
    new_table.write(root, changes)
    for change in changes:
        print(change.path)
    say(
        "next: saas-api migrate, make docs; what there is to change says docs/how-to/add-a-table.md"
    )
    return 0


def _openapi(_options: argparse.Namespace) -> int:
    from api.openapi import dump

    print(dump(load(os.environ)).decode())
    return 0


def _stop(_options: argparse.Namespace) -> int:
    stopped = DIRECTORY.is_dir() and embedded.stop(DIRECTORY, say=say)
    say("PostgreSQL stopped" if stopped else "PostgreSQL was not running")
    return 0


def _embedded() -> EmbeddedServer:
    """The embedded server, started, with its roles and database."""
    server = embedded.ensure_running(DIRECTORY, say=say)
    with embedded.lock(DIRECTORY):
        bootstrap(server.url("postgres", "postgres"), database=DATABASE)
    return server


def role_url(role: str) -> str:
    """
    The URL by which `role` is reached: its own, or for a role without login of one that may
    become it.

    Errors: Failure when the configuration has none.
    """
    settings = _database_settings(os.environ)
    if settings.database_url is None and settings.migration_database_url is None:
        if role not in EMBEDDED_ROLES:
            raise Failure(f"no URL leads to {role}: one of {', '.join(EMBEDDED_ROLES)}")
        server = _embedded()
        if role in OWNERS:
            return _as_role(server.url("saas_migrator"), role)
        return _as_role(server.url("postgres"), role) if role == "saas_dba" else server.url(role)
    if role == "saas_api":
        url = settings.database_url
    elif role in {"saas_migrator", *OWNERS}:
        url = settings.migration_database_url
    else:
        raise Failure(f"no URL leads to {role}: one of {', '.join([*URL_VARIABLES, *OWNERS])}")
    if url is None:
        name = URL_VARIABLES["saas_api" if role == "saas_api" else "saas_migrator"]
        raise Failure(f"{name} is not set, but the other one is: set it too")
    return _as_role(url, role) if role in OWNERS else url


def _as_role(url: str, role: str) -> str:
    return _with_option(url, f"role={role}")


def _with_option(url: str, setting: str) -> str:
    options = urls.parse(url, name="the URL").get("options", "")
    return urls.replace(url, options=f"{options} -c {setting}".strip())


def _database_settings(environ: Mapping[str, str]) -> Settings:
    """The URLs alone: migrating needs no signing secret. Production has no embedded database."""
    settings = load({name: environ.get(name, "") for name in URL_VARIABLES.values()})
    embedded_only = settings.database_url is None and settings.migration_database_url is None
    if embedded_only and is_production(environ.get("SAAS_API_ENVIRONMENT", "")):
        names = " and ".join(URL_VARIABLES.values())
        raise Failure(f"production does not use the embedded database: set {names}")
    return settings


if __name__ == "__main__":
    sys.exit(main())
