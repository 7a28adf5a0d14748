"""The embedded PostgreSQL, with real servers in folders of their own."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from api import embedded
from api.embedded import EmbeddedServer
from api.failure import Failure


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A folder of ours that the server's account can reach."""
    path = Path(tempfile.mkdtemp(prefix="saas-api-embedded-"))
    yield path
    for data in path.glob("*/postgres"):
        embedded.stop(data.parent)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def directory(home: Path) -> Path:
    """A .data folder that the tests of this module share."""
    return home / "data"


@pytest.fixture
def server(directory: Path) -> EmbeddedServer:
    """The running server of that folder."""
    return embedded.ensure_running(directory)


def ask(server: EmbeddedServer, query: str) -> object:
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
        return row[0] if row else None


def kill(server: EmbeddedServer) -> None:
    process = psutil.Process(server.pid)
    process.send_signal(signal.SIGKILL)
    psutil.wait_procs([process], timeout=5)


def test_server_is_durable_local_and_utf8(server: EmbeddedServer) -> None:
    assert ask(server, "select current_setting('fsync')") == "on"
    assert ask(server, "select current_setting('listen_addresses')") == ""
    assert ask(server, "select datlocprovider::text || ' ' || datlocale from pg_database limit 1"
               ) == "b C.UTF-8"  # fmt: skip
    connections = psutil.Process(server.pid).net_connections("inet")
    assert connections == []


def test_running_server_is_found_and_not_started_again(server: EmbeddedServer) -> None:
    assert embedded.ensure_running(server.data.parent).pid == server.pid


def test_killed_server_recovers_and_loses_nothing(server: EmbeddedServer) -> None:
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute("create table kept as select generate_series(1, 1000) as i")
        kill(server)
    assert embedded.status(server.data.parent) is None
    again = embedded.ensure_running(server.data.parent)
    assert again.pid != server.pid
    assert ask(again, "select count(*) from kept") == 1000


def test_process_id_gone_to_another_process_does_not_hinder_the_start(
    server: EmbeddedServer,
) -> None:
    """As after a restart of the machine, or of a container."""
    kill(server)
    for path in (server.data / "postmaster.pid", server.socket_directory / ".s.PGSQL.5432.lock"):
        lines = path.read_text().splitlines()
        path.write_text("\n".join([str(os.getpid()), *lines[1:], ""]))
    assert ask(embedded.ensure_running(server.data.parent), "select 1") == 1


def test_starting_server_is_waited_for(server: EmbeddedServer) -> None:
    """As when the saas-api that started it was killed meanwhile."""
    path = server.data / "postmaster.pid"
    ready = path.read_text()
    path.write_text(ready.replace("ready", "starting"))
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        path.write_text(ready)

    assert embedded.ensure_running(server.data.parent, say=say).pid == server.pid
    assert said == ["PostgreSQL is starting or recovering (3 s)"]


def test_stopped_server_is_stopped_once(server: EmbeddedServer) -> None:
    assert embedded.stop(server.data.parent)
    assert not embedded.stop(server.data.parent)
    assert embedded.status(server.data.parent) is None


def test_concurrent_starts_make_one_server(home: Path) -> None:
    code = (
        "import sys, pathlib; from api import embedded;"
        "print(embedded.ensure_running(pathlib.Path(sys.argv[1])).pid)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(home / "together")], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    assert len({process.communicate()[0] for process in processes}) == 1
    assert [process.returncode for process in processes] == [0, 0, 0]


@pytest.mark.parametrize("name", ["x" * 100, "it's odd, %s"])
def test_long_or_odd_path_gets_its_socket_elsewhere_and_private(home: Path, name: str) -> None:
    server = embedded.ensure_running(home / name)
    try:
        assert server.socket_directory.stat().st_mode & 0o077 == 0
        assert server.socket_directory != home / name
        assert ask(server, "select 1") == 1
    finally:
        embedded.stop(home / name)
        shutil.rmtree(server.socket_directory)


def test_path_that_a_shell_would_read_otherwise_is_refused(home: Path) -> None:
    with pytest.raises(Failure, match="PostgreSQL cannot work in"):
        embedded.ensure_running(home / "$(touch oops)")


def test_data_of_another_major_version_are_refused(server: EmbeddedServer) -> None:
    directory = server.data.parent
    embedded.stop(directory)
    version = directory / "postgres" / "PG_VERSION"
    version.write_text("17\n")
    try:
        with pytest.raises(Failure, match="was made by PostgreSQL 17, this is 18"):
            embedded.ensure_running(directory)
    finally:
        version.write_text("18\n")


def test_incomplete_data_are_refused(server: EmbeddedServer) -> None:
    directory = server.data.parent
    embedded.stop(directory)
    control = directory / "postgres" / "global" / "pg_control"
    control.rename(control.with_suffix(".aside"))
    try:
        with pytest.raises(Failure, match="is no complete data directory"):
            embedded.ensure_running(directory)
    finally:
        control.with_suffix(".aside").rename(control)


def test_damaged_data_are_refused_with_the_servers_reason(server: EmbeddedServer) -> None:
    directory = server.data.parent
    embedded.stop(directory)
    control = directory / "postgres" / "global" / "pg_control"
    good = control.read_bytes()
    control.write_bytes(b"\0" * len(good))
    try:
        with pytest.raises(Failure, match=r"PostgreSQL did not start \(.*see .*postgres\.log"):
            embedded.ensure_running(directory)
    finally:
        control.write_bytes(good)


def test_folder_that_cannot_be_made_is_one_line() -> None:
    with pytest.raises(Failure, match="cannot write to /dev/null/data"):
        embedded.ensure_running(Path("/dev/null/data"))


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes other users, which only root can")
def test_other_users_are_not_let_in(home: Path, server: EmbeddedServer) -> None:
    """Even with the folders opened, pg_hba refuses."""
    home.chmod(0o755)
    server.socket_directory.chmod(0o755)

    def connect() -> None:
        with pytest.raises(psycopg.OperationalError, match="Peer authentication failed"):
            psycopg.connect(server.url("postgres", "postgres"))

    _as_nobody(connect)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, which only root can")
def test_ordinary_user_runs_a_server_as_themself() -> None:
    home = Path(tempfile.mkdtemp(prefix="saas-api-nobody-"))
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)

    def use() -> None:
        server = embedded.ensure_running(home / "data")
        assert psutil.Process(server.pid).uids().real == nobody.pw_uid
        assert ask(server, "select 1") == 1
        kill(server)
        assert ask(embedded.ensure_running(home / "data"), "select 1") == 1

    try:
        _as_nobody(use)
        # root, later, runs it as its owner
        embedded.stop(home / "data")
        server = embedded.ensure_running(home / "data")
        assert psutil.Process(server.pid).uids().real == nobody.pw_uid
    finally:
        embedded.stop(home / "data")
        shutil.rmtree(home)


def _as_nobody(work: object) -> None:
    """Run `work` in a child process that is the user nobody; it must not raise."""
    assert callable(work)
    nobody = pwd.getpwnam("nobody")
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_status_of_a_folder_without_server_is_none(tmp_path: Path) -> None:
    assert embedded.status(tmp_path) is None


def test_socket_that_nobody_answers_is_not_a_server(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    lines = [str(os.getpid()), "", str(time.time()), "5432", str(tmp_path), "", "", "ready"]
    (tmp_path / "postgres" / "postmaster.pid").write_text("\n".join(lines))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / ".s.PGSQL.5432"))
    assert embedded.status(tmp_path) is None
