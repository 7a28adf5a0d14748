"""
PgBouncer before the tests' server, set up as docs/how-to/run-behind-pgbouncer.md says.

PGBOUNCER is the program, if it is not the one in PATH.
"""

import contextlib
import os
import pwd
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from configparser import RawConfigParser
from dataclasses import dataclass
from pathlib import Path

import psycopg

from api import urls
from api.policies.databases import Server

HOW_TO = Path(__file__).parents[1] / "docs" / "how-to" / "run-behind-pgbouncer.md"
PASSWORD = "a password of the pooler's"
PORT = "6432"  # the documented one
# What the tests' file says differently from the documented one, as the how-to tells its reader.
OWN_PLACE = {"listen_addr", "unix_socket_dir", "auth_file", "logfile"}
OWN_TLS = {"server_tls_sslmode", "server_tls_ca_file"}


@dataclass(frozen=True, slots=True)
class PooledServer:
    """A server whose API role comes through the pooler; everybody else connects to it directly."""

    direct: Server
    sockets: Path

    def url(self, role: str = "saas_api", database: str = "saas") -> str:
        """A libpq URL for a login role; `postgres` is the superuser."""
        if role != "saas_api":
            return self.direct.url(role, database)
        parts = {"user": role, "password": PASSWORD, "dbname": database}
        return urls.build({**parts, "host": str(self.sockets), "port": PORT})


def program() -> str | None:
    """Where PgBouncer is; None where there is none."""
    usual = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    return shutil.which(os.environ.get("PGBOUNCER", "pgbouncer"), path=usual)


def keeps_prepared_statements() -> bool:
    """Whether it knows `max_prepared_statements`; an older one does not start with it."""
    said = subprocess.run([str(program()), "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"PgBouncer (\d+)\.(\d+)", said.stdout)
    assert found is not None
    return tuple(int(part) for part in found.groups()) >= (1, 21)


def documented() -> RawConfigParser:
    """The how-to's pgbouncer.ini."""
    found = re.search(r"```ini\n(.*?)```", HOW_TO.read_text(), re.DOTALL)
    assert found is not None
    parser = RawConfigParser(delimiters=("=",))
    parser.read_string(found.group(1))
    return parser


@contextlib.contextmanager
def pooled(server: Server, directory: Path, **settings: str) -> Iterator[PooledServer]:
    """
    Run PgBouncer before `server`, for its every database, with its files in a new `directory`.

    `settings` are its own, and win over the documented ones.
    """
    binary = program()
    assert binary is not None
    directory.mkdir(mode=0o755)
    with (directory / "pgbouncer.ini").open("w") as file:
        configured(server, directory, **settings).write(file)
    _write_secret(server, directory)
    account = _account(server) if os.geteuid() == 0 else None
    if account is not None:
        for path in (directory, *directory.iterdir()):
            os.chown(path, account.pw_uid, account.pw_gid)
    with (directory / "output").open("w") as output:
        process = subprocess.Popen(
            [binary, directory / "pgbouncer.ini"],
            stdout=output,
            stderr=subprocess.STDOUT,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )
    try:
        deadline = time.monotonic() + 10
        while not (directory / f".s.PGSQL.{PORT}").exists():
            said = (directory / "output").read_text()
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.02)
        yield PooledServer(server, directory)
    finally:
        process.terminate()  # at once, clients or not
        process.wait(10)
        shutil.rmtree(directory, ignore_errors=True)


def configured(server: Server, directory: Path, **settings: str) -> RawConfigParser:
    """The documented pgbouncer.ini, for this server, on a socket in `directory`."""
    ini = documented()
    target = urls.parse(server.url("saas_api"), name="the server's URL")
    (name,) = ini["databases"]
    connection = re.sub(r"\bdbname=\S+\s*", "", ini["databases"][name])
    connection = re.sub(r"\bhost=\S+", f"host={target['host']}", connection)
    connection = re.sub(r"\bport=\S+", f"port={target.get('port', 5432)}", connection)
    ini["databases"] = {"*": connection}
    ini["pgbouncer"].update(
        {
            "listen_addr": "",
            "unix_socket_dir": str(directory),
            "auth_file": str(directory / "userlist.txt"),
            "server_tls_sslmode": "disable",
            "logfile": str(directory / "log"),
            **settings,
        }
    )
    del ini["pgbouncer"]["server_tls_ca_file"]
    if not keeps_prepared_statements():
        del ini["pgbouncer"]["max_prepared_statements"]
    return ini


def _write_secret(server: Server, directory: Path) -> None:
    """The documented userlist.txt."""
    with psycopg.connect(server.url("postgres", "postgres")) as connection:
        secret = connection.pgconn.encrypt_password(
            PASSWORD.encode(), b"saas_api", b"scram-sha-256"
        )
    (directory / "userlist.txt").write_text(f'"saas_api" "{secret.decode()}"\n')


def _account(server: Server) -> pwd.struct_passwd:
    """
    Who runs it when we are root, which it refuses to be: the embedded server's owner, since that
    lets in nobody else, or nobody.
    """
    host = Path(str(urls.parse(server.url("postgres"), name="the server's URL").get("host", "")))
    owner = host.stat().st_uid if host.is_absolute() else 0
    return pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
