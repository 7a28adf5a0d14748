"""pgTAP is had from a package where neither the server nor Debian has it, and nothing else is."""

import io
import tarfile
from pathlib import Path

import pytest

from api.failure import Failure
from api.policies import pgtap


def archive(files: dict[str, bytes]) -> bytes:
    """A .tar.gz of these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without pgTAP, and its empty cache."""
    monkeypatch.setattr(pgtap, "SERVERS_OWN", tmp_path / "server")
    monkeypatch.setattr(pgtap, "DEBIANS", str(tmp_path / "debian"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(pgtap, "_cache", lambda: tmp_path / "cache")
    return tmp_path


def test_package_is_unpacked_into_the_cache_once(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = archive({"share/extension/pgtap.control": b"x", "share/other/README": b"y"})
    packed = archive({"package/dist/pgtap.tar.gz": inner})
    monkeypatch.setattr(pgtap, "_download", lambda: packed)
    share = pgtap.find_share()
    assert share is not None
    assert [path.name for path in (share / "extension").iterdir()] == ["pgtap.control"]
    monkeypatch.setattr(pgtap, "_download", lambda: pytest.fail("twice"))
    assert pgtap.find_share() == share


def test_servers_own_and_debians_are_taken_as_they_are(cache: Path) -> None:
    debian = cache / "debian" / "18" / "extension"
    debian.mkdir(parents=True)
    (debian / "pgtap.control").touch()
    assert pgtap.find_share() == debian.parent
    own = cache / "server" / "extension"
    own.mkdir(parents=True)
    (own / "pgtap.control").touch()
    assert pgtap.find_share() is None


def test_package_that_cannot_be_had_is_said_so(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pgtap, "PACKAGE", "./not-there")
    monkeypatch.setattr("shutil.which", lambda _name: "/bin/false")
    assert pgtap.find_share() is None
    assert capsys.readouterr().err.startswith("no pgTAP: /bin/false could not get ./not-there")


def test_package_of_another_content_is_refused(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = cache / "npm"
    npm.write_text('#!/bin/sh\necho other > "$4/x.tgz"\n')
    npm.chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda _name: str(npm))
    with pytest.raises(Failure, match="SHA-512 differs"):
        pgtap._download()
