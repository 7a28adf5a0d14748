"""The access matrix is as declared; a cell that is not, or is not declared, names itself."""

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from api import files
from api.failure import Failure
from api.policies import matrix, matrix_page
from api.policies.databases import Database
from api.policies.matrix import ACTORS, Attempt, Cell

GADGETS = """
create table app.gadgets (
    organisation_id uuid not null, gadget_id uuid not null default uuidv7(), size integer not null,
    constraint gadgets_pkey primary key (organisation_id, gadget_id)
);
alter table app.gadgets enable row level security;
alter table app.gadgets force row level security;
grant select on app.gadgets to saas_api;
create policy tenant_isolation on app.gadgets as restrictive for all to public
using (organisation_id = (select ctx.tenant_id()));
create policy read_viewer on app.gadgets for select to public
using ((select current_user = 'saas_api') and (select ctx.permits('projects.read')));
"""


def found(database: Database, *statements: str) -> list[str]:
    """What is wrong with the matrix after these changes of the database."""
    with psycopg.connect(database.admin_url, autocommit=True) as connection:
        connection.execute("set event_triggers = off")
        for statement in statements:
            connection.execute(statement.encode())
    return matrix.prove(database, matrix.declared()).faults


def test_every_cell_is_declared_and_proven(pgtap_database: Database) -> None:
    assert found(pgtap_database) == []


@pytest.mark.parametrize(
    ("weakened", "fault"),
    [
        (
            "drop policy tenant_isolation on app.projects",
            "viewer, select on app.projects: declared tenant, found all",
        ),
        (
            "alter policy insert_member on app.projects with check (true);"
            "drop policy tenant_isolation on app.projects",
            "viewer, insert on app.projects: declared none, found tenant",
        ),
        (
            "alter policy read_self on app.users using (true)",
            "stranger, select on app.users: declared self, found all",
        ),
        (
            "grant delete on app.projects to saas_api",
            "viewer, delete on app.projects: declared -, found none",
        ),
        (
            "grant select on auth.seal_key to public;"
            "create policy open on auth.seal_key using (true);"
            "grant usage on schema auth to public",
            "public, select on auth.seal_key: declared -, found all",
        ),
        (
            "drop policy read_admin on app.memberships",
            "admin, select on app.memberships: declared tenant, found none",
        ),
    ],
)
def test_cell_that_is_otherwise_names_itself(
    pgtap_database: Database, weakened: str, fault: str
) -> None:
    assert any(line.startswith(fault) for line in found(pgtap_database, weakened))


def test_table_of_tomorrow_is_undeclared_and_then_proven_without_a_fixture(
    pgtap_database: Database,
) -> None:
    faults = found(pgtap_database, GADGETS)
    assert len(faults) == 4 * len(ACTORS)
    assert "viewer, select on app.gadgets: not declared, found tenant" in faults
    assert "forger, select on app.gadgets: not declared, found sealed" in faults
    assert "owner, insert on app.gadgets: not declared, found -" in faults


def test_cell_of_a_table_that_is_gone_names_itself(
    pgtap_database: Database,
) -> None:
    declaration = {**matrix.declared(), ("app.ghosts", "select", "owner"): "tenant"}
    proven = matrix.prove(pgtap_database, declaration)
    assert proven.faults == ["owner, select on app.ghosts: declared, but not there"]


def test_word_that_is_none_is_a_fault() -> None:
    cell = Cell("app.x", "select", "owner", "maybe", (Attempt("tenant", "", "done", ""),))
    assert "maybe is none of" in cell.fault


def test_file_of_another_form_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "matrix.csv"
    path.write_text("verb,table\n")
    with pytest.raises(Failure, match="the first line"):
        matrix.declared(path)


def test_what_is_found_has_the_form_of_the_file(pgtap_database: Database) -> None:
    proven = matrix.prove(pgtap_database, matrix.declared())
    assert matrix.as_csv(proven) == (files.tree().policies / "matrix.csv").read_text()


def test_page_escapes_what_it_shows_and_shows_every_fault(pgtap_database: Database) -> None:
    proven = matrix.prove(
        pgtap_database, {**matrix.declared(), ("app.users", "select", "owner"): "<b>"}
    )
    page = matrix_page.html(proven)
    assert "owner, select on app.users: &lt;b&gt; is none of" in page
    assert "<b>" not in page.split("<ul class=faults>")[1].split("</ul>")[0]


def test_command_draws_the_matrix_and_ends_well(tmp_path: Path) -> None:
    path = tmp_path / "matrix.html"
    command = [sys.executable, "-m", "api.cli", "policies", "matrix"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (result.returncode, result.stderr) == (0, "")
    assert "app.projects" in result.stdout
    command += ["--html", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert "all as declared" in path.read_text()
