"""The verbs of the Makefile, wherever the project lies."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


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
