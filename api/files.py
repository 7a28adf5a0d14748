"""Where the SQL is: beside the package in a checkout, inside it when installed from a wheel."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Tree:
    """The two directories the database is made from."""

    sql: Path
    policies: Path


def tree() -> Tree:
    """
    Find the SQL that belongs to this code.

    Returns: the checkout's sql/ and policies/, else the wheel's api/_sql and api/_policies.
    """
    package = Path(__file__).resolve().parent
    if (package / "_sql").is_dir():
        return Tree(package / "_sql", package / "_policies")
    return Tree(package.parent / "sql", package.parent / "policies")


def pgtap_tests() -> Path:
    """The pgTAP tests of that SQL: the checkout's tests/sql, else the wheel's api/_tests."""
    package = Path(__file__).resolve().parent
    shipped = package / "_tests"
    return shipped if shipped.is_dir() else package.parent / "tests" / "sql"
