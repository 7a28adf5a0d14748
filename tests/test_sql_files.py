"""The collector of pgTAP files sees what is wrong with one."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from api.policies.databases import Database
from api.policies.tap import TapFailure, judge, run_file

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


def test_file_without_tests_fails(complaints: Complaints) -> None:
    assert "there are no tests" in complaints("", plan=0)


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
