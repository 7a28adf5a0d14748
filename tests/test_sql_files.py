"""The collector of pgTAP files sees what is wrong with one."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from api.policies.databases import Database
from api.policies.tap import Outcome, TapFailure, judge, run_file

Complaints = Callable[..., str]
TEST = "select is(1, {value}, 'one is {value}');"


@pytest.fixture
def complaints(tmp_path: Path, pgtap_database: Database) -> Complaints:
    """Runs a file with the given body, and returns what is said against it."""

    def run(body: str, plan: int = 1, end: str = "rollback;") -> str:
        path = tmp_path / "example.sql"
        path.write_text(f"begin;\nselect plan({plan});\n{body}\nselect * from finish();\n{end}\n")
        try:
            run_file(path, pgtap_database.admin_url)
        except TapFailure as failure:
            return str(failure)
        return ""

    return run


def test_file_that_passes_is_not_complained_about(complaints: Complaints) -> None:
    assert complaints(TEST.format(value=1)) == ""


def test_file_with_failing_test_shows_the_test_and_its_diagnostics(complaints: Complaints) -> None:
    text = complaints(TEST.format(value=1) + "\n" + TEST.format(value=2), plan=2)
    assert "not ok 2 - one is 2" in text
    assert "have: 1" in text
    assert "ok 1" not in text.replace("not ok", "")


@pytest.mark.parametrize("plan", [1, 3])
def test_file_with_wrong_plan_fails(complaints: Complaints, plan: int) -> None:
    text = complaints(TEST.format(value=1) * 2, plan=plan)
    assert f"planned {plan} tests, ran 2" in text


def test_file_with_syntax_error_fails_with_its_line(complaints: Complaints) -> None:
    text = complaints(TEST.format(value=1) + "\nselekt 1;")
    assert "example.sql:4: ERROR:" in text


def test_file_that_runs_nothing_it_planned_fails(complaints: Complaints) -> None:
    assert "planned 1 tests, ran 0" in complaints("")


def test_file_that_commits_is_not_run(complaints: Complaints) -> None:
    assert "end with rollback;" in complaints(TEST.format(value=1), end="commit;")


@pytest.mark.parametrize("word", ["commit", "rollback", "abort", "begin", "\\c"])
def test_file_that_leaves_its_transaction_is_not_run(complaints: Complaints, word: str) -> None:
    assert f"no {word} in it" in complaints(f"{TEST.format(value=1)}\n  {word} ;\n")


def test_file_that_only_speaks_of_leaving_is_run(complaints: Complaints) -> None:
    text = "savepoint s; rollback to s; do $x$ begin\nrollback; end $x$;\n-- commit;\n"
    assert "invalid transaction termination" in complaints(text + TEST.format(value=1))
    said = "select isnt('\ncommit;'::text, e'\\';\ncommit;', $$\nbegin; $$);"
    assert complaints(f"savepoint s; rollback to s; /* \nabort; */\n{said}") == ""


def test_file_that_commits_by_another_word_fails(
    complaints: Complaints, pgtap_database: Database
) -> None:
    body = "create table public.kept (); select is(1, 1, 'x'); end;"
    assert "a pgTAP file keeps nothing" in complaints(body)
    with psycopg.connect(pgtap_database.admin_url) as connection:
        assert connection.execute("select to_regclass('public.kept')").fetchone() == (None,)


@pytest.mark.parametrize(
    ("tap", "is_ok"),
    [
        ("1..1\nok 1 - one is 1", True),
        ("1..1\nnot ok 1 - one is 2", False),
        ("ok 1\nok 2\n1..2", True),
        ("1..1\nnot ok 1 - later # TODO one day", True),
        ("1..1\nnot ok 1 - later # todo one day", True),
        ("1..1\nnot ok 1 - later #TODO", True),
        ("1..1\nnot ok 1 - later # TODOS", False),
        ("1..1\nnot ok 1 - the first of two projects \\# TODO", False),
        ("1..1\nnot ok 1 - a backslash \\\\# TODO", True),
        ("1..1\nnot ok 1 - both \\# and # TODO one day", True),
        ("1..1\nnot ok 1 - number # 5 # TODO one day", False),
        ("1..1\nok 1 # skip no disk", True),
        ("1..1\nnot ok 1 # SKIP no disk", False),
        ("1..1\nNOT OK 1", False),
        ("1..1\nokay 1", False),
        ("1..1\nok 1 - carriage\rreturn", True),
        ("1..1\nok 1 - line\u2028not ok 2 - separator", True),
        ("1..2\nok 1", False),
        ("1..1\nok 1\nok 2", False),
        ("ok 1", False),
        ("", False),
        ("1..1\nok 1\n1..1", False),
        ("1..1\n1..1\nok 1", False),
        ("ok 1\n1..1\n1..1", False),
        ("ok 1\n1..2\nok 2", False),
        ("1..2\nok 2\nok 1", False),
        ("1..2\nok 1\nok 1", False),
        ("1..2\nok\nok 2", True),
        ("1..0 # SKIP no disk", True),
        ("1..0", True),
        ("1..0\nok 1", False),
        ("1..1 # SKIP no disk\nok 1", False),
        ("1..2 todo 2\nok 1\nnot ok 2", True),
        ("1..1\nok 1\nBail out! no disk", False),
        ("1..1\nok 1\n  Bail out!", False),
        ("acme\n1..1\n\nok 1\n# a diagnostic\nglobex", True),
    ],
)
def test_judge_and_prove_are_of_one_mind(tap: str, is_ok: bool, tmp_path: Path) -> None:
    sentences, wrong = judge(tap, "", 0)
    assert Outcome(tmp_path, sentences, wrong).is_ok is is_ok
    if prove := shutil.which("prove"):
        path = tmp_path / "example.tap"
        path.write_text(tap, newline="")
        proven = subprocess.run([prove, "-Qe", "cat", path], capture_output=True, check=False)
        assert (proven.returncode == 0) is is_ok, proven


def test_judge_without_plan_complains() -> None:
    assert judge("ok 1 - alone", "", 0)[1] == ("there is no plan",)


def test_judge_with_todo_does_not_complain() -> None:
    sentences, complaints = judge("1..1\nnot ok 1 - later # TODO one day", "", 0)
    assert complaints == ()
    assert [(each.text, each.directive, each.fails) for each in sentences] == [
        ("later", "TODO one day", False)
    ]


def test_judge_that_hears_bail_out_complains() -> None:
    assert judge("1..1\nok 1\nBail out! no disk", "", 0)[1] == ("Bail out! no disk",)


def test_judge_with_failed_psql_complains() -> None:
    assert judge("1..1\nok 1", "", 3)[1] == ("psql ended with status 3",)
