"""`saas-api new-table`: what it writes is migrated, and held to all that the product is held to."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from api import cli, files, migrate, new_table
from api.failure import Failure
from api.files import Tree
from api.policies import databases, matrix, pgtap, tap
from api.policies.databases import Database, Server
from tests.rollback import rollback

ROOT = Path(__file__).parents[1]
EDITED = [
    "CHANGELOG.md",
    "api/schemas.py",
    "docs/reference/roles-and-permissions.md",
    "policies/matrix.csv",
    "sql/functions/ctx/permissions.sql",
]
TESTS = [
    f"tests/sql/{kind}/{name}.sql"
    for name in ("invoices", "line_items")
    for kind in ("policies", "triggers")
]

# Rows of somebody's, as a database in use has them: the tests are of their own.
THEIRS = """
select tests.new_tenant('Initech');
insert into app.invoices (organisation_id, name, deleted_at)
select tests.organisation('Initech'), n.name, n.deleted_at
from (values ('Apollo', null), ('Apollo 12', now())) as n (name, deleted_at);
insert into app.line_items (organisation_id, name) values (tests.organisation('Initech'), 'Gemini');
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the command reads and writes, with two tables more."""
    root = tmp_path_factory.mktemp("checkout")
    for name in ("sql", "policies", "tests/sql", "templates"):
        shutil.copytree(ROOT / name, root / name)
    for name in EDITED[:3]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    for name in ("invoices", "line_items"):
        new_table.write(root, new_table.plan(root, name))
    return root


@pytest.fixture(scope="module")
def tree(checkout: Path) -> Tree:
    """Its SQL."""
    return Tree(checkout / "sql", checkout / "policies")


@pytest.fixture(scope="module")
def database(postgres: Server, tree: Tree) -> Iterator[Database]:
    """A database made from it and in use, the guard included, as pgTAP files have it."""
    with databases.clone(postgres, databases.EMPTY) as fresh:
        migrate.run(fresh.migration_url, tree)
        with psycopg.connect(fresh.admin_url, autocommit=True) as connection:
            pgtap.load(connection)
            connection.execute(databases.HELPERS.read_bytes())
            connection.execute(THEIRS)
        yield fresh


@pytest.mark.parametrize("path", ["tests/sql/invariants.sql", "tests/sql/guard.sql", *TESTS])
def test_tests_of_the_catalogue_and_its_own_are_green(
    path: str, checkout: Path, database: Database
) -> None:
    tap.run_file(checkout / path, database.admin_url)


def test_matrix_is_as_declared_and_in_order(checkout: Path, database: Database) -> None:
    path = checkout / "policies" / "matrix.csv"
    proven = matrix.prove(database, matrix.declared(path))
    assert proven.faults == []
    assert matrix.as_csv(proven) == path.read_text()


@pytest.mark.parametrize(
    ("weaker", "path"),
    [
        ("drop policy tenant_isolation on app.invoices", TESTS[0]),
        ("alter policy tenant_isolation on app.invoices using (true)", TESTS[0]),
        ("alter policy tenant_isolation on app.invoices with check (true)", TESTS[0]),
        ("alter policy read_viewer on app.invoices using (false)", TESTS[0]),
        ("grant delete on app.invoices to saas_api", TESTS[0]),
        ("alter table app.invoices no force row level security", TESTS[0]),
        ("alter table app.invoices disable trigger _900_audit_update", TESTS[1]),
        ("alter table app.invoices disable trigger _100_timestamps", TESTS[1]),
        ("alter table app.invoices drop constraint invoices_name_not_blank", TESTS[1]),
    ],
)
def test_its_tests_fail_where_a_rule_is_weaker(
    weaker: str, path: str, checkout: Path, database: Database
) -> None:
    outcome = tap.run(checkout / path, database.admin_url, f"{weaker};\n")
    assert any(sentence.fails for sentence in outcome.sentences), outcome.complaints


def test_matrix_names_the_table_whose_wall_is_gone(checkout: Path, database: Database) -> None:
    with psycopg.connect(database.admin_url, autocommit=True) as connection:
        connection.execute("set event_triggers = off")
        connection.execute("alter policy tenant_isolation on app.invoices using (true)")
        try:
            proven = matrix.prove(database, matrix.declared(checkout / "policies" / "matrix.csv"))
        finally:
            connection.execute(
                "alter policy tenant_isolation on app.invoices"
                " using (organisation_id = (select ctx.tenant_for('invoices.read')))"
            )
    assert any(
        fault.startswith("viewer, select on app.invoices: declared tenant, found all")
        for fault in proven.faults
    )


def test_tables_roll_back(postgres: Server, tree: Tree) -> None:
    with databases.clone(postgres, databases.EMPTY) as fresh:
        migrate.run(fresh.migration_url, tree)
        rollback(fresh.migration_url, tree)
        with psycopg.connect(fresh.admin_url) as superuser:
            query = "select to_regclass('app.invoices'), to_regclass('app.line_items')"
            assert superuser.execute(query).fetchone() == (None, None)


def test_lists_of_the_checkout_have_both(checkout: Path) -> None:
    roles = json.loads((checkout / EDITED[4]).read_text().split("'")[1])
    rights = {"invoices.read", "invoices.write", "line_items.read", "line_items.write"}
    assert all(rights < set(roles[role]) for role in ("owner", "admin", "member"))
    assert rights & set(roles["viewer"]) == {"invoices.read", "line_items.read"}
    assert not rights & set(roles["api_key"])
    page = (checkout / EDITED[2]).read_text()
    assert "| `line_items.write` | yes | yes | yes | | | creating, changing, deleting line" in page
    first, second = sorted((checkout / "sql/migrations").glob("*.sql"))[-4:][1::2]
    assert second.stem.split("_", 1)[1] == "line_items"
    assert int(second.name[:4]) == int(first.name[:4]) + 1
    changelog = (checkout / EDITED[0]).read_text()
    assert f"| `{first.stem}` | " in changelog
    assert f"| `{second.stem}` | " in changelog
    text = (checkout / EDITED[1]).read_text()
    compile(text, "schemas.py", "exec")
    assert '    "invoice.created",\n    "invoice.updated",\n    "invoice.deleted",\n' in text
    assert "'invoice.deleted', 'line_item.created'" in " ".join(second.read_text().split())


def test_sentences_have_words_and_the_right_article(checkout: Path) -> None:
    policy = (checkout / "policies/line_items.sql").read_text()
    assert policy.startswith("-- Who may touch line items.\n")
    assert "an owner creates an invoice'" in (checkout / TESTS[0]).read_text()
    assert "an owner creates a line item'" in (checkout / TESTS[2]).read_text()


def test_longest_name_keeps_to_the_width_of_a_line() -> None:
    changes = new_table.plan(ROOT, "x" * (new_table.LONGEST - 1) + "s")
    for change in changes:
        if change.path not in EDITED and not change.path.startswith("tests/"):
            code = re.sub(r"(?ms)^comment on .*?';$", "", change.after)
            assert max(map(len, code.splitlines())) <= new_table.WIDTH, change.path


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        ("invoices", "invoice"),
        ("line_queues", "line_queue"),
        ("boxes", "box"),
        ("batches", "batch"),
        ("wishes", "wish"),
        ("addresses", "address"),
    ],
)
def test_singular_is_found(plural: str, singular: str) -> None:
    changes = new_table.plan(ROOT, plural)
    assert any(f"{singular}_id uuid not null" in change.after for change in changes)


@pytest.mark.parametrize(
    "plural",
    [
        *("statuses", "movies", "aliases", "heroes", "caches", "cookies", "series", "quizzes"),
        *("knives", "axes", "bus", "analysis", "address", "line_statuses"),
    ],
)
def test_singular_that_the_spelling_does_not_tell_is_asked_for(plural: str) -> None:
    with pytest.raises(Failure, match=f"what one of {plural} is cannot be told .* --singular$"):
        new_table.plan(ROOT, plural)
    changes = new_table.plan(ROOT, plural, "status")
    assert any("status_id uuid not null" in change.after for change in changes)


def test_singular_may_be_given() -> None:
    changes = new_table.plan(ROOT, "people", "person")
    assert any("create table app.people (" in change.after for change in changes)
    assert any("person_id uuid not null" in change.after for change in changes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Invoices"], "'Invoices' is no name for a table here: lower-case letters, digits"),
        (["in voices"], "'in voices' is no name"),
        (["1s"], "'1s' is no name"),
        (["a__bs"], "'a__bs' is no name"),
        (["x; drop table app.users;--s"], "is no name"),
        (["x" * 20 + "s"], "at most 20 characters"),
        (["invoices", "--singular", "In-voice"], "'In-voice' is no name"),
        (["staff"], "staff is no plural that is known"),
        (["projects"], "projects is taken: policies/projects.sql has it"),
        (["members"], "members is taken: sql/views/api/members.sql has it"),
        (["schemas"], "schemas is taken: policies/schemas.sql has it"),
        (["views"], "views is taken: tests/sql/policies/views.sql has it"),
        (["partitions"], "partitions is taken: sql/functions/audit/partitions.sql has it"),
        (["migrations"], "migrations is taken: sql/ledger.sql has it"),
        (["ideas", "--singular", "project"], "the audit has the action project.created"),
    ],
)
def test_name_that_will_not_do_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["new-table", *arguments]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert len(printed.err.splitlines()) == 1


def test_dry_run_prints_a_patch_and_writes_nothing(
    checkout: Path,
    tree: Tree,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(files, "tree", lambda: tree)
    before = {path: path.stat().st_mtime_ns for path in checkout.rglob("*")}
    assert cli.main(["new-table", "gadgets", "--dry-run"]) == 0
    patch = capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in checkout.rglob("*")} == before
    assert "+create table app.gadgets (" in patch
    command = ["git", "apply", "--check", "-"]
    subprocess.run(command, cwd=checkout, input=patch, text=True, check=True)


def test_command_writes_what_it_names(
    checkout: Path,
    tree: Tree,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(files, "tree", lambda: tree)
    assert cli.main(["new-table", "gadgets"]) == 0
    printed = capsys.readouterr()
    paths = printed.out.split()
    assert set(EDITED) < set(paths)
    assert all((checkout / path).read_text().count("gadget") for path in paths)
    assert "next: saas-api migrate, make docs" in printed.err


def test_installed_package_says_that_it_takes_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "tree", lambda: Tree(tmp_path / "_sql", tmp_path / "_policies"))
    with pytest.raises(Failure, match="an installed package: run the one of a checkout"):
        new_table.checkout()
