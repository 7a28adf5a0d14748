"""
Does a test fail when a rule is weakened? `saas-api policies mutate`.

Each test file rolls back what it does, so a mutant needs no database of its own: the weakening is
put into the file's own transaction, before its first statement, and goes with it. One scratch
database a job, since what is weakened is locked until then.
"""

import json
import time
import tomllib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import psycopg

from api import files
from api.failure import Failure
from api.policies import databases, mutants
from api.policies.mutants import Mutant

SECONDS = 20  # a test that runs longer has failed
REFUSED = "refused"  # by PostgreSQL: no mutant
SURVIVED = "survived"


@dataclass(frozen=True, slots=True)
class Test:
    """A pgTAP file: its statements without the `begin;`, and the seconds it takes unmutated."""

    path: Path
    body: bytes
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """As the report shows it: its path under tests/sql."""
        return str(self.path.relative_to(files.pgtap_tests()))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant: the name of the test that killed it, REFUSED or SURVIVED."""

    mutant: Mutant
    outcome: str


class Killer:
    """One scratch database with a connection, where mutants are tried one after the other."""

    def __init__(self, database: databases.Database) -> None:
        self._connection = psycopg.connect(
            database.admin_url,
            autocommit=True,
            options=f"-c client_min_messages=error -c statement_timeout={SECONDS}s",
        )

    def fails(self, test: Test, mutation: str = "") -> str:
        """Why a test fails, with a mutation; '' if it passes. REFUSED: the mutation does not run."""
        try:
            with self._connection.cursor() as cursor:
                cursor.execute("begin")
                if mutation:
                    try:
                        cursor.execute(mutation.encode())
                    except psycopg.Error:
                        return REFUSED
                try:
                    cursor.execute(test.body)
                    return _complaint(cursor)
                except psycopg.Error as error:
                    return error.diag.message_primary or type(error).__name__
        finally:
            self._connection.rollback()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _complaint(cursor: psycopg.Cursor) -> str:
    """The first failing line of a file's TAP; '' if there is none."""
    while True:
        if cursor.description is not None:
            for row in cursor:
                if isinstance(row[0], str) and row[0].startswith("not ok"):
                    return row[0].splitlines()[0]
                if isinstance(row[0], str) and row[0].startswith("# Looks like you planned"):
                    return row[0]
        if not cursor.nextset():
            return ""


def read_tests() -> list[Test]:
    """All files of the suite. Errors: Failure for one that could leave something behind."""
    found = []
    for path in sorted(files.pgtap_tests().rglob("*.sql")):
        if path == databases.HELPERS:
            continue
        _, begin, body = path.read_text().partition("begin;\n")
        body, rollback, rest = body.rpartition("rollback;")
        if not begin or not rollback or rest.strip():
            raise Failure(f"{path} must begin with begin; and end with rollback;")
        found.append(Test(path, body.encode()))
    return found


def time_tests(killer: Killer, tests: Iterable[Test]) -> list[Test]:
    """The tests with their seconds. Errors: Failure naming one that fails without a mutation."""
    timed = []
    for test in tests:
        began = time.monotonic()
        if complaint := killer.fails(test):
            raise Failure(f"tests/sql/{test.name} fails as it is: {complaint}")
        timed.append(Test(test.path, test.body, time.monotonic() - began))
    return timed


def order(mutant: Mutant, tests: Sequence[Test], kills: dict[str, int]) -> list[Test]:
    """
    The tests, with those that are likely to kill the mutant first: what has the name of its file,
    the invariants, then what killed most others by the second.
    """
    folders = mutant.path.removeprefix("sql/").removesuffix(".sql")
    stem = Path(folders).name

    def rank(test: Test) -> tuple[int, float]:
        if test.name == f"{folders}.sql":
            return 0, 0
        if test.path.stem == stem:
            return 1, test.seconds
        if test.path.stem in INVARIANTS:
            return 2, test.seconds
        return 3, -kills.get(test.name, 0) / (test.seconds + 0.01)

    return sorted(tests, key=rank)


INVARIANTS = ("invariants", "constraints")


def run(
    directory: Path,
    *,
    given: str | None = None,
    jobs: int = 2,
    only: str = "",
    tell: Callable[[Verdict], None] = lambda _verdict: None,
    count: Callable[[int], None] = lambda _total: None,
) -> list[Verdict]:
    """
    Try every mutant whose name holds `only`, in `jobs` scratch databases at a time.

    `count` hears how many there are, `tell` each verdict as it falls.
    Errors: Failure when a test fails unmutated, or there is no pgTAP to be had.
    """
    server = databases.start(directory, given)
    databases.ensure_pgtap(directory, server)
    killers: SimpleQueue[Killer] = SimpleQueue()
    every = []
    for _ in range(jobs):
        every.append(Killer(databases.copy(server, databases.PGTAP)))
        killers.put(every[-1])
    tests = time_tests(every[0], read_tests())
    with psycopg.connect(databases.copy(server, databases.PGTAP).admin_url) as connection:
        found = [mutant for mutant in mutants.find(connection) if only in mutant.name]
    count(len(found))
    kills: dict[str, int] = {}

    def judge(mutant: Mutant) -> Verdict:
        killer = killers.get()
        try:
            outcome = _try(killer, mutant, order(mutant, tests, kills))
        finally:
            killers.put(killer)
        kills[outcome] = kills.get(outcome, 0) + 1
        verdict = Verdict(mutant, outcome)
        tell(verdict)
        return verdict

    try:
        with ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(judge, found))
    finally:
        for killer in every:
            killer.close()


def _try(killer: Killer, mutant: Mutant, tests: Iterable[Test]) -> str:
    for test in tests:
        complaint = killer.fails(test, mutant.statement)
        if complaint == REFUSED:
            return REFUSED
        if complaint:
            return test.name
    return SURVIVED
