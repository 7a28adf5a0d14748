"""`api.migrate` over small trees, and over the product's own."""

import shutil
import subprocess
import threading
from pathlib import Path

import psycopg
import pytest

from api import definitions, embedded, files, migrate
from api.failure import Failure
from api.files import Tree
from api.policies.databases import Database
from tests.rollback import rollback

SMALL = {
    "sql/migrations/0001_first.sql": """
        alter default privileges revoke execute on functions from public;
        create schema app;
        create schema ctx;
        grant create, usage on schema app to saas_gate;
        create table app.things (organisation_id uuid primary key, name text default 'a;b%s:c');
        alter table app.things enable row level security, force row level security;
    """,
    "sql/migrations/0001_first.rollback.sql": "drop table app.things;\ndrop schema app, ctx;",
    "sql/functions/app/double.sql": """
        create or replace function app.double(p_value integer) returns integer
        language sql immutable as $$ select 2 * p_value; $$;
        grant execute on function app.double(integer) to saas_api;
    """,
    "sql/functions/ctx/tenant_id.sql": """
        create or replace function ctx.tenant_id() returns uuid
        language sql stable as $$ select null::uuid; $$;
    """,
    "sql/functions/app/noted.sql": """
        create or replace function app.noted() returns trigger
        language plpgsql as $$ begin return new; end $$;
    """,
    "sql/views/app/a_thing.sql": (
        "create view app.a_thing with (security_invoker = on) as select * from app.many;"
    ),
    "sql/views/app/many.sql": (
        "create view app.many with (security_invoker = on) as select * from app.things;"
    ),
    "sql/triggers/things.sql": """
        create trigger _100_noted before update on app.things
        for each row execute function app.noted();
    """,
    "policies/things.sql": """
        revoke all on table app.things from public, saas_api;
        grant select on table app.things to saas_api;
        create policy read_small on app.things for select to saas_api
        using (app.double(1) = 2);
        create policy tenant_isolation on app.things as restrictive for all to public
        using (organisation_id = (select ctx.tenant_id()));
    """,
    "policies/schemas.sql": "grant usage on schema app to saas_api;",
}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A small project on disk, to be changed by the test."""
    for name, text in SMALL.items():
        write(tmp_path, name, text)
    return Tree(tmp_path / "sql", tmp_path / "policies")


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def run(database: Database, tree: Tree) -> list[str]:
    """Migrate, and return what was said."""
    lines: list[str] = []
    migrate.run(database.migration_url, tree, say=lines.append)
    return lines


def ask(database: Database, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database.admin_url, autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


def dump(database: Database) -> list[str]:
    """The schema as pg_dump writes it, without its random tokens."""
    command = [str(embedded.program("pg_dump")), "--schema-only", database.admin_url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line for line in text.splitlines() if not line.startswith("\\")]


def test_small_tree_is_applied_in_order(empty_database: Database, tree: Tree) -> None:
    lines = run(empty_database, tree)
    assert lines[0] == "applying 0001_first.sql"
    assert lines[-1] == f"schema {migrate.expected_version(tree)}"
    assert ask(
        empty_database,
        "select pg_get_expr(adbin, adrelid) from pg_attrdef where adrelid = 'app.things'::regclass",
    ) == [("'a;b%s:c'::text",)]


def test_second_run_does_nothing_and_says_so(empty_database: Database, tree: Tree) -> None:
    run(empty_database, tree)
    before = ask(empty_database, "select xmin::text, * from deploy.definitions order by path")
    assert run(empty_database, tree) == [f"nothing to do: schema {migrate.expected_version(tree)}"]
    assert before == ask(
        empty_database, "select xmin::text, * from deploy.definitions order by path"
    )


def test_plan_says_all_steps_and_does_none(empty_database: Database, tree: Tree) -> None:
    steps = migrate.plan(empty_database.migration_url, tree).lines()
    assert steps[0] == "apply 0001_first.sql"
    assert "define sql/functions/app/double.sql" in steps
    assert ask(empty_database, "select count(*) from deploy.migrations") == [(0,)]


def test_edited_migration_is_refused_by_name(empty_database: Database, tree: Tree) -> None:
    run(empty_database, tree)
    path = tree.sql / "migrations" / "0001_first.sql"
    path.write_text(path.read_text() + "-- edited")
    with pytest.raises(Failure, match=r"0001_first\.sql was edited"):
        run(empty_database, tree)


def test_missing_migration_is_refused_by_name(empty_database: Database, tree: Tree) -> None:
    run(empty_database, tree)
    (tree.sql / "migrations" / "0001_first.sql").unlink()
    with pytest.raises(Failure, match=r"0001_first\.sql was applied here but is gone"):
        run(empty_database, tree)


def test_failing_migration_leaves_nothing(empty_database: Database, tree: Tree) -> None:
    write(tree.sql, "migrations/0002_bad.sql", "create table app.more (); select 1 / 0;")
    with pytest.raises(Failure, match=r"0002_bad\.sql: division by zero"):
        run(empty_database, tree)
    assert ask(empty_database, "select migration_id from deploy.migrations") == [("0001_first",)]
    assert ask(empty_database, "select to_regclass('app.more')") == [(None,)]
    (tree.sql / "migrations" / "0002_bad.sql").unlink()
    run(empty_database, tree)


def test_migration_that_leaves_a_table_open_is_refused_with_a_hint(
    empty_database: Database, tree: Tree
) -> None:
    write(
        tree.sql,
        "migrations/0002_open.sql",
        "create table app.open (organisation_id uuid primary key);",
    )
    with pytest.raises(Failure) as refusal:
        run(empty_database, tree)
    assert str(refusal.value) == (
        "0002_open.sql: row-level security is not enabled and forced on app.open; hint: "
        "alter table app.open enable row level security, force row level security"
    )
    assert ask(empty_database, "select to_regclass('app.open')") == [(None,)]


def test_policy_file_that_has_no_wall_is_refused_and_changes_nothing(
    empty_database: Database, tree: Tree
) -> None:
    path = tree.policies / "things.sql"
    path.write_text(path.read_text().split("create policy tenant_isolation")[0])
    with pytest.raises(Failure, match=r"app\.things has policies and no wall"):
        run(empty_database, tree)
    assert ask(empty_database, "select count(*) from pg_policy where polname = 'read_small'") == [
        (0,)
    ]


def test_changed_definition_alone_is_run_again(empty_database: Database, tree: Tree) -> None:
    run(empty_database, tree)
    path = tree.sql / "functions" / "app" / "double.sql"
    path.write_text(path.read_text().replace("2 * p_value", "p_value + p_value"))
    lines = run(empty_database, tree)
    assert lines == [
        "defined sql/functions/app/double.sql",
        f"schema {migrate.expected_version(tree)}",
    ]


def test_definition_whose_grant_is_gone_loses_the_right(
    empty_database: Database, tree: Tree
) -> None:
    run(empty_database, tree)
    path = tree.sql / "functions" / "app" / "double.sql"
    path.write_text(path.read_text().split("grant")[0])
    run(empty_database, tree)
    assert ask(
        empty_database,
        "select has_function_privilege('saas_api', 'app.double(integer)', 'execute')",
    ) == [(False,)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("returns integer", "returns bigint"),
        ("p_value integer)", "p_value integer, p_more integer default 0)"),
        ("p_value", "p_number"),
    ],
)
def test_changed_signature_replaces_the_function_under_its_policy(
    empty_database: Database, tree: Tree, old: str, new: str
) -> None:
    run(empty_database, tree)
    path = tree.sql / "functions" / "app" / "double.sql"
    text = path.read_text().split("grant")[0].replace(old, new)
    path.write_text(text)
    lines = run(empty_database, tree)
    assert "defined policies/things.sql" in lines
    assert ask(empty_database, "select count(*) from pg_proc where proname = 'double'") == [(1,)]
    assert ask(empty_database, "select polname from pg_policy where polname = 'read_small'")
    assert run(empty_database, tree)[0].startswith("nothing to do")


def test_changed_signature_replaces_the_function_under_parsed_bodies(
    empty_database: Database, tree: Tree
) -> None:
    body = "create or replace function app.{}() returns integer language sql return {};"
    write(tree.sql, "functions/app/a_four.sql", body.format("a_four", "app.double(2)"))
    write(tree.sql, "functions/app/an_eight.sql", body.format("an_eight", "2 * app.a_four()"))
    run(empty_database, tree)
    path = tree.sql / "functions" / "app" / "double.sql"
    text = path.read_text().split("grant")[0]
    path.write_text(text.replace("p_value integer)", "p_value integer, p_more integer default 0)"))
    # Run before the function that it needs, whose old signature is still there.
    write(tree.sql, "functions/app/a_four.sql", body.format("a_four", "2 + app.double(1)"))
    run(empty_database, tree)
    assert ask(empty_database, "select app.an_eight()") == [(8,)]
    assert ask(empty_database, "select count(*) from pg_proc where proname = 'double'") == [(1,)]
    assert run(empty_database, tree)[0].startswith("nothing to do")


def test_changed_view_under_another_rebuilds_both(empty_database: Database, tree: Tree) -> None:
    run(empty_database, tree)
    write(
        tree.sql,
        "views/app/many.sql",
        "create view app.many with (security_invoker = on) as select name from app.things;",
    )
    run(empty_database, tree)
    assert ask(empty_database, "select to_jsonb(t) from app.a_thing as t") == []
    columns = "select count(*) from information_schema.columns where table_name = 'a_thing'"
    assert ask(empty_database, columns) == [(1,)]


def test_definitions_whose_files_are_gone_are_removed(empty_database: Database, tree: Tree) -> None:
    run(empty_database, tree)
    for folder in (tree.sql / "functions", tree.sql / "views", tree.sql / "triggers"):
        shutil.rmtree(folder)
    (tree.policies / "things.sql").unlink()
    lines = run(empty_database, tree)
    assert "removed sql/functions/app/double.sql" in lines
    assert ask(
        empty_database,
        "select (select count(*) from pg_proc where pronamespace = 'app'::regnamespace),"
        " (select count(*) from pg_views where schemaname = 'app'),"
        " (select count(*) from pg_trigger where tgrelid = 'app.things'::regclass),"
        " (select count(*) from pg_policy where polrelid = 'app.things'::regclass),"
        " has_table_privilege('saas_api', 'app.things', 'select')",
    ) == [(0, 0, 0, 0, False)]


def test_function_still_needed_is_not_removed(empty_database: Database, tree: Tree) -> None:
    run(empty_database, tree)
    (tree.sql / "functions" / "app" / "double.sql").unlink()
    with pytest.raises(Failure, match=r"cannot drop function app\.double.*read_small"):
        run(empty_database, tree)


def test_function_file_that_makes_another_is_refused(empty_database: Database, tree: Tree) -> None:
    write(tree.sql, "functions/app/wrong.sql", SMALL["sql/functions/app/double.sql"])
    with pytest.raises(Failure, match=r"wrong\.sql has to make exactly one function, app\.wrong"):
        run(empty_database, tree)


def test_error_in_definition_names_file_and_line_and_changes_nothing(
    empty_database: Database, tree: Tree
) -> None:
    write(tree.policies, "things.sql", "\n\ncreate polcy x on app.things;")
    with pytest.raises(Failure, match=r"policies/things\.sql:3: syntax error"):
        run(empty_database, tree)
    assert ask(empty_database, "select count(*) from deploy.definitions") == [(0,)]


def test_owner_of_a_function_follows_its_folder(empty_database: Database, tree: Tree) -> None:
    write(
        tree.sql,
        "migrations/0002_gate.sql",
        "create schema gate; grant all on schema gate to saas_gate;",
    )
    write(
        tree.sql,
        "functions/gate/one.sql",
        "create or replace function gate.one() returns int language sql as $$ select 1; $$;"
        "revoke all on function gate.one() from public;",
    )
    run(empty_database, tree)
    owner = "select proowner::regrole::text from pg_proc where proname = 'one'"
    assert ask(empty_database, owner) == [("saas_gate",)]


def test_concurrent_runs_come_one_after_the_other(empty_database: Database, tree: Tree) -> None:
    said: list[list[str]] = [[], [], []]
    threads = [
        threading.Thread(
            target=migrate.run, args=(empty_database.migration_url, tree), kwargs={"say": s.append}
        )
        for s in said
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    version = migrate.expected_version(tree)
    assert sorted(lines[-1] for lines in said) == [
        *[f"nothing to do: schema {version}"] * 2,
        f"schema {version}",
    ]


def test_unprepared_database_is_refused(postgres: embedded.EmbeddedServer) -> None:
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute("grant connect on database postgres to saas_migrator")
    with pytest.raises(Failure, match="run saas-api bootstrap first"):
        migrate.run(postgres.url("saas_migrator", "postgres"))


def test_version_depends_on_every_file(tree: Tree) -> None:
    versions = {migrate.expected_version(tree)}
    for path in sorted([*tree.sql.rglob("*.sql"), *tree.policies.rglob("*.sql")]):
        path.write_text(path.read_text() + "\n")
        versions.add(migrate.expected_version(tree))
    assert len(versions) == len(SMALL) + 1


def test_product_up_down_up_is_the_same_schema(database: Database) -> None:
    up = dump(database)
    rollback(database.migration_url)
    down = dump(database)
    ours = [line for line in down if " deploy." not in line and " guard." not in line]
    assert not [line for line in ours if line.startswith(("CREATE FUNCTION", "CREATE TABLE"))]
    migrate.run(database.migration_url)
    assert dump(database) == up


def test_product_migrated_is_current(database: Database) -> None:
    assert migrate.current_version(database.api_url) == migrate.expected_version()


def test_product_replayed_from_nothing_is_the_same_schema(database: Database) -> None:
    """Each file can be run over itself, as a changed one is."""
    before = dump(database)
    with psycopg.connect(database.admin_url) as connection:
        connection.execute("update deploy.definitions set sha256 = 'old'")
    migrate.run(database.migration_url)
    assert dump(database) == before


def test_every_definition_of_the_product_is_of_a_known_kind() -> None:
    paths = {definition.path for definition in definitions.read(files.tree())}
    on_disk = {
        path.name
        for path in [*files.tree().sql.rglob("*.sql"), *files.tree().policies.rglob("*.sql")]
        if path.parent.name != "migrations" and path.parent != files.tree().sql
    }
    assert {path.rsplit("/", 1)[1] for path in paths} == on_disk
