"""What of functions neither sqlfluff nor `saas-api migrate` looks at: bodies, and why a definer."""

from pathlib import Path

import psycopg

from api.policies import databases

ROOT = Path(__file__).parents[1]
FUNCTIONS = ROOT / "sql" / "functions"
TEMPLATES = ROOT / "templates" / "new_table" / "sql" / "functions"


def test_every_body_is_what_postgresql_parses(session_database: databases.Database) -> None:
    with psycopg.connect(session_database.admin_url) as connection:
        connection.execute("set check_function_bodies = on")
        for path in sorted(FUNCTIONS.rglob("*.sql")):
            try:
                connection.execute(path.read_bytes())
            except psycopg.Error as error:
                raise AssertionError(f"{path.relative_to(FUNCTIONS)}: {error}") from None
        connection.rollback()


def test_file_of_a_definer_and_no_other_begins_with_the_reason() -> None:
    for path in (*FUNCTIONS.rglob("*.sql"), *TEMPLATES.rglob("*.sql")):
        text = path.read_text()
        is_definer = "\nsecurity definer\n" in text
        assert text.startswith("-- A definer, because ") is is_definer, path
        assert not is_definer or path.parent.name in ("gate", "audit"), path
