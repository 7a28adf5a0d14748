"""Scratch databases on a server that is given: made, used, and gone again."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from api import cli, embedded
from api.policies import databases


@pytest.fixture
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The superuser's URL of a server of somebody's."""
    with databases.scratch() as directory:
        server = embedded.ensure_running(directory / "server", settings=databases.SETTINGS)
        yield server.url("postgres", "postgres")


def names(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {name for (name,) in connection.execute("select datname from pg_database")}


def test_server_that_is_given_is_used_and_left_as_it_was(
    given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = names(given)
    page = tmp_path / "matrix.html"
    command = ["policies", "matrix", "--admin-url", given, "--html", str(page)]
    assert cli.main(command) == 0
    assert "all as declared" in page.read_text()
    only = ["--only", "policy read_gate on auth.seal_key"]
    assert cli.main(["policies", "mutate", "--admin-url", given, "--list", *only]) == 0
    listed = capsys.readouterr().out
    assert "policy read_gate on auth.seal_key: dropped  (policies/seal_key.sql)" in listed
    assert names(given) - {databases.EMPTY, databases.MIGRATED, databases.PGTAP} == before


def test_templates_that_an_earlier_run_left_are_made_anew(given: str, tmp_path: Path) -> None:
    with databases.scratch(given) as directory:
        server = databases.start(directory, given)
        databases.ensure_pgtap(directory, server)
        databases.ensure_pgtap(directory, server)  # it is there
        assert databases.copy(server, databases.PGTAP).name in names(given)
        with psycopg.connect(server.url("postgres", databases.PGTAP)) as connection:
            connection.execute("create table public.left_behind ()")
    with databases.scratch(given) as directory:
        server = databases.start(directory, given)
        databases.ensure_pgtap(directory, server)
        with (
            databases.clone(server, databases.PGTAP) as fresh,
            psycopg.connect(fresh.admin_url) as connection,
        ):
            found = connection.execute("select to_regclass('public.left_behind')").fetchone()
            assert found == (None,)
