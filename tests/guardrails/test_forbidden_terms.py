"""scripts/guardrails/forbidden_terms.py: finds a term in text and names, and never says it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.guardrails.run import SCRIPTS, run

VARIABLE = "SAAS_API_FORBIDDEN_TERMS_FILE"
TERM = "Projekt Geheimwört"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the guardrail in it, and nothing else."""
    root = tmp_path / "repository"
    (root / "scripts" / "guardrails").mkdir(parents=True)
    shutil.copy(SCRIPTS / "forbidden_terms.py", root / "scripts" / "guardrails")
    subprocess.run(["git", "init", "--quiet", root], check=True)
    return root


def look(root: Path, *terms: str) -> tuple[int, str]:
    """Run the repository's own guardrail over all that is in it."""
    subprocess.run(["git", "-C", root, "add", "--all"], check=True)
    listed = root.parent / "terms"
    listed.write_text("\n".join([*terms, ""]))
    return run(str(root / "scripts/guardrails/forbidden_terms.py"), **{VARIABLE: str(listed)})


def test_tree_passes_without_terms() -> None:
    assert run("forbidden_terms.py", **{VARIABLE: ""})[0] == 0


def test_terms_that_are_nowhere_pass(repository: Path) -> None:
    assert look(repository, TERM, "", "  ") == (0, "none of 1 terms in any tracked file\n")


def test_term_in_a_file_is_found_in_any_case_and_not_said(repository: Path) -> None:
    (repository / "notes.md").write_text(f"one\ntwo {TERM.upper()} two\n")
    status, said = look(repository, "nowhere at all", TERM)
    assert (status, said) == (1, "notes.md:2: term 2\n")


def test_term_in_a_name_is_found_and_not_said(repository: Path) -> None:
    folder = repository / "docs" / f"a {TERM} b"
    folder.mkdir(parents=True)
    (folder / "x.md").write_text(f"{TERM}\n")
    status, said = look(repository, TERM.lower())
    assert status == 1
    assert said == ("the name of a file in docs/[...]: term 1\ndocs/[...]:1: term 1\n")


def test_term_in_bytes_and_in_a_link_is_found(repository: Path) -> None:
    (repository / "image.png").write_bytes(b"\xff\x00\n\xffprojekt x\xff")
    (repository / "link").symlink_to("/home/projekt x")
    status, said = look(repository, "PROJEKT X")
    assert (status, said) == (1, "image.png:2: term 1\nlink:1: term 1\n")


def test_term_in_what_git_does_not_track_is_nobodys(repository: Path) -> None:
    (repository / ".gitignore").write_text("private\n")
    (repository / "private").write_text(TERM)
    assert look(repository, TERM)[0] == 0


def test_terms_that_cannot_be_read_are_no_pass() -> None:
    assert run("forbidden_terms.py", **{VARIABLE: "/nowhere/terms"})[0] == 2
