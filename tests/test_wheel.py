"""The wheel, in an environment that has never seen the checkout: `saas-api serve` answers there."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")


DOCKERFILE = (ROOT / "Dockerfile").read_text()
DOCKERIGNORE = (ROOT / ".dockerignore").read_text().splitlines()


def uv(*arguments: str | Path, environment: str | Path = sys.prefix) -> None:
    """Run uv for an environment."""
    command = [UV, "--quiet", *arguments]
    subprocess.run(command, check=True, env={**os.environ, "VIRTUAL_ENV": str(environment)})


def build(target: Path, source: Path) -> Path:
    """The wheel of the files in `source`."""
    uv("build", "--wheel", "--no-build-isolation", "--out-dir", target, source)
    return next(target.glob("*.whl"))


def names(wheel: Path) -> set[str]:
    """The files in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as built from the files of the checkout."""
    return build(tmp_path_factory.mktemp("dist"), ROOT)


def copy_as_docker_does(target: Path) -> None:
    """What the Dockerfile copies into the build, of what .dockerignore lets through."""
    assert "*" in DOCKERIGNORE
    let_through = [line[1:] for line in DOCKERIGNORE if line.startswith("!")]
    stage = DOCKERFILE.partition("hatchling build")[0]
    for line in re.findall(r"^COPY (?!--)(.+)$", stage, re.MULTILINE):
        *sources, destination = line.split()
        for source in sources:
            here = ROOT / source
            into = target / destination / (here.name if destination.endswith("/") else "")
            for file in [here] if here.is_file() else here.rglob("*"):
                path = file.relative_to(ROOT)
                if (
                    file.is_file()
                    and any(path.is_relative_to(each) for each in let_through)
                    and "__pycache__" not in path.parts
                ):
                    copy = into / file.relative_to(here)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, copy)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that others may enter: PostgreSQL does not run as root."""
    with tempfile.TemporaryDirectory(prefix="saas-api-wheel-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(scope="module")
def installed(wheel: Path, folder: Path) -> Path:
    """The programs of an environment with the locked dependencies and the wheel, nothing else."""
    environment = folder / "environment"
    lock = ROOT / "requirements" / "runtime.txt"
    uv("venv", "--python", sys.executable, environment)
    uv("pip", "sync", "--require-hashes", lock, environment=environment)
    uv("pip", "install", "--no-deps", wheel, environment=environment)
    return environment / "bin"


@pytest.fixture
def served(installed: Path, folder: Path) -> Iterator[str]:
    """The URL of `saas-api serve`, in an empty folder and with no setting but the port."""
    environ = {n: v for n, v in os.environ.items() if not n.startswith(("SAAS_API_", "PYTHON"))}
    process = subprocess.Popen(
        [installed / "saas-api", "serve", "--port", "0"],
        cwd=folder,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = ""
    try:
        for line in process.stderr:
            said += line
            if match := re.search(r" listens on (\S+)", line):
                yield match[1]
                break
        else:
            raise AssertionError(said)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        subprocess.run([installed / "saas-api", "stop"], cwd=folder, env=environ, check=True)


def test_wheel_holds_the_package_and_its_sql_and_nothing_else(wheel: Path) -> None:
    held = names(wheel)
    assert {name.partition("/")[0] for name in held} == {
        "api",
        f"{wheel.name.rpartition('-py3')[0]}.dist-info",
    }
    for folder, inside in (
        ("sql", "api/_sql"),
        ("policies", "api/_policies"),
        ("tests/sql", "api/_tests"),
    ):
        here = {path.relative_to(ROOT / folder) for path in (ROOT / folder).rglob("*.sql")}
        assert {f"{inside}/{path}" for path in here} <= held
    assert "api/py.typed" in held


def test_container_builds_the_same_wheel_from_the_files_it_gets(
    wheel: Path, tmp_path: Path
) -> None:
    """No engine is needed to know it."""
    copy_as_docker_does(tmp_path / "context")
    assert names(build(tmp_path / "dist", tmp_path / "context")) == names(wheel)


def test_serve_answers_where_the_wheel_is_installed(served: str) -> None:
    answers = {}
    for path in ("/healthz", "/readyz"):
        with urllib.request.urlopen(served + path, timeout=10) as answer:
            assert answer.status == 200
            answers[path] = json.load(answer)
    assert answers["/healthz"]["name"] == "multi-tenant-saas-api"
    assert answers["/readyz"]["status"]


def test_saas_api_knows_its_version_there(installed: Path, wheel: Path) -> None:
    said = subprocess.run(
        [installed / "saas-api", "--version"], capture_output=True, text=True, check=True
    ).stdout
    assert said.split()[1] == wheel.name.split("-")[1]
