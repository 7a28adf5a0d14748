"""scripts/check_locks.py: passes the tree, and names what pyproject.toml has outgrown."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def check(root: Path) -> tuple[int, str]:
    """The script's exit status, and what it said."""
    script = ROOT / "scripts" / "check_locks.py"
    result = subprocess.run(
        [sys.executable, script, root], capture_output=True, text=True, check=False
    )
    return result.returncode, result.stdout + result.stderr


def test_locks_of_the_tree_pass() -> None:
    assert check(ROOT) == (0, "")


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        ('"aiohttp>=99"', "requirements/runtime.txt has aiohttp "),
        ('"Not_Locked.yet"', "requirements/dev.txt lacks Not_Locked.yet: run make lock"),
    ],
)
def test_lock_that_was_outgrown_is_named(tmp_path: Path, asked: str, fault: str) -> None:
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    text = (ROOT / "pyproject.toml").read_text()
    start = text.index('"aiohttp>=')
    changed = text[:start] + asked + text[text.index('"', start + 1) + 1 :]
    (tmp_path / "pyproject.toml").write_text(changed)
    status, said = check(tmp_path)
    assert status == 1
    assert fault in said
