"""The verbs of the Makefile, wherever the project lies."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
INNER = {"ARGS", "MAKEFLAGS", "MAKELEVEL"}  # what a make tells those that it runs


def test_verbs_in_a_path_with_spaces_do_not_fall_apart(tmp_path: Path) -> None:
    """No recipe has the absolute path, which a shell would take for two words."""
    project = tmp_path / "a b" / "project"
    project.mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", project)
    shutil.copy(ROOT / "pyproject.toml", project)
    shutil.copytree(ROOT / "requirements", project / "requirements")
    command = [
        "make",
        "--no-print-directory",
        "--dry-run",
        "--always-make",
        "setup",
        "serve",
        "test",
    ]
    recipes = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    assert "uv pip sync" in recipes.stdout
    assert "a b" not in recipes.stdout


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ([], [".venv/bin/saas-api", "psql"]),
        (["ARGS=--role saas_owner"], [".venv/bin/saas-api", "psql", "--role", "saas_owner"]),
        (
            ["AS=ada@example.com", "ORG=Acme Ltd"],
            [".venv/bin/saas-api", "psql", "--as", "ada@example.com", "--org", "Acme Ltd"],
        ),
    ],
)
def test_psql_becomes_somebody_only_when_it_is_told_to(
    arguments: list[str], command: list[str]
) -> None:
    environ = {name: os.environ[name] for name in os.environ.keys() - INNER}
    done = subprocess.run(
        ["make", "--dry-run", "psql", *arguments],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shlex.split(done.stdout.splitlines()[-1]) == command


def test_clean_leaves_no_cache_of_python(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    folders = {path.parent for path in ROOT.glob("*/*.py")} | {ROOT / "tests" / "api"}
    caches = [tmp_path / folder.relative_to(ROOT) / "__pycache__" for folder in folders]
    for cache in caches:
        cache.mkdir(parents=True)
    subprocess.run(["make", "clean"], cwd=tmp_path, capture_output=True, check=True)
    assert [cache for cache in caches if cache.exists()] == []


def test_quality_with_a_name_that_is_no_steps_runs_none() -> None:
    command = ["scripts/quality-gate.sh", "shell", "nonsense"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("no step nonsense: one of setup shell ")
