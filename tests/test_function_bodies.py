"""Bodies of functions: sqlfluff does not look into them, `saas-api migrate` does not check them."""

from pathlib import Path

import psycopg

from api.policies import databases

FUNCTIONS = Path(__file__).parents[1] / "sql" / "functions"


def test_every_body_is_what_postgresql_parses(session_database: databases.Database) -> None:
    with psycopg.connect(session_database.admin_url) as connection:
        connection.execute("set check_function_bodies = on")
        for path in sorted(FUNCTIONS.rglob("*.sql")):
            try:
                connection.execute(path.read_bytes())
            except psycopg.Error as error:
                raise AssertionError(f"{path.relative_to(FUNCTIONS)}: {error}") from None
        connection.rollback()
