"""
Does a test fail when a rule is weakened? `saas-api policies mutate`.

Each test file rolls back what it does, so a mutant needs no database of its own: the weakening is
put into the file's own transaction, before its first statement, and goes with it. One scratch
database a job, since what is weakened is locked until then.
"""

import select
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue

import psycopg
from psycopg import pq

from api import files, urls
from api.failure import Failure
from api.policies import databases, mutants, tap
from api.policies.mutants import Mutant

SECONDS = 5  # a statement of a test that runs longer has failed: most take some milliseconds
# Runs of tests in one database: what they rolled back stays in its files, where it makes the
# catalogues slow, and tables look large to the planner.
RUNS = 300
INVARIANTS = ("invariants", "constraints")  # of the catalogue: what they kill, they kill soon
REFUSED = "refused"  # by PostgreSQL: no mutant
SURVIVED = "survived"


@dataclass(frozen=True, slots=True)
class Test:
    """A pgTAP file: how it begins, its other statements, and the seconds it takes unmutated."""

    path: Path
    begin: bytes
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
        self.database = database
        self.runs = 0
        options = f"-c client_min_messages=error -c statement_timeout={SECONDS}s"
        url = urls.replace(database.admin_url, options=options)
        # libpq itself: a test's answers are judged as they come, not when its last has come.
        self._connection = pq.PGconn.connect(url.encode())
        if self._connection.status != pq.ConnStatus.OK:
            raise Failure(f"no scratch database: {self._connection.get_error_message()}")

    def fails(self, test: Test, mutation: str = "") -> str:
        """Why a test fails, with a mutation; '' if it passes. REFUSED: the mutation is no SQL."""
        self.runs += 1
        try:
            if self._run(test.begin) or (mutation and self._run(mutation.encode())):
                return REFUSED
            complaint = self._run(test.body, tap.Hearing())
            if self._connection.transaction_status == pq.TransactionStatus.IDLE:
                raise Failure(f"{test.name} ends its transaction itself")
            return complaint
        finally:
            self._connection.exec_(b"rollback")
            if self._connection.transaction_status != pq.TransactionStatus.IDLE:
                raise Failure(f"the scratch server: {self._connection.get_error_message()}")

    def _run(self, statements: bytes, hearing: tap.Hearing | None = None) -> str:
        """
        The first complaint, of PostgreSQL or at a `hearing`, '' if there is none; what would follow
        it is cancelled.
        """
        connection, complaint = self._connection, ""
        connection.send_query(statements)
        while True:
            while connection.is_busy():
                select.select([connection.socket], [], [])
                connection.consume_input()
            result = connection.get_result()
            if result is None:
                return complaint or (_closing(hearing) if hearing else "")
            if not complaint:
                complaint = _error(result) or (_heard(result, hearing) if hearing else "")
                if complaint:
                    connection.get_cancel().cancel()

    def close(self) -> None:
        """Close the connection."""
        self._connection.finish()


def _error(result: pq.abc.PGresult) -> str:
    """What PostgreSQL has to say, '' if all is well."""
    if result.status != pq.ExecStatus.FATAL_ERROR:
        return ""
    return (result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"no answer").decode()


def _heard(result: pq.abc.PGresult, hearing: tap.Hearing) -> str:
    """The first line that is bad news, of the rows as psql prints them; '' if there is none."""
    for row in range(result.ntuples):
        values = [result.get_value(row, column) or b"" for column in range(result.nfields)]
        for line in b"|".join(values).decode().split("\n"):
            hearing.hear(line)
            if hearing.fails:
                return line
    return ""


def _closing(hearing: tap.Hearing) -> str:
    """What is wrong once all is said, '' if nothing is."""
    hearing.close()
    return hearing.wrong[0] if hearing.wrong else ""


def read_tests() -> list[Test]:
    """All files of the suite. Errors: Failure for one that could leave something behind."""
    found = []
    for path in sorted(files.pgtap_tests().rglob("*.sql")):
        if path == databases.HELPERS:
            continue
        try:
            begin, body = tap.read(path)
        except tap.TapFailure as refused:
            raise Failure(str(refused)) from None
        found.append(Test(path, begin.encode(), body.encode()))
    return found


def time_tests(killer: Killer, tests: Iterable[Test]) -> list[Test]:
    """The tests with their seconds. Errors: Failure naming one that fails without a mutation."""
    timed = []
    for test in tests:
        began = time.monotonic()
        if complaint := killer.fails(test):
            raise Failure(f"tests/sql/{test.name} fails as it is: {complaint}")
        timed.append(replace(test, seconds=time.monotonic() - began))
    return timed


def order(mutant: Mutant, tests: Sequence[Test], kills: Mapping[str, Counter[str]]) -> list[Test]:
    """
    The tests, with those that are likely to kill the mutant first: what has the name of its file,
    what killed others of that file, the invariants, then what killed others of its kind. `kills` by
    file and by kind; what killed most by the second comes first.
    """
    folders = mutant.path.removeprefix("sql/").removesuffix(".sql")
    stem = Path(folders).name

    def rank(test: Test) -> tuple[int, float]:
        if test.name == f"{folders}.sql":
            return 0, 0
        if test.path.stem == stem:
            return 1, test.seconds
        if kills[mutant.path][test.name]:
            return 2, deadliness(test, mutant.path)
        if test.path.stem in INVARIANTS:
            return 3, test.seconds
        return 4, deadliness(test, mutant.kind)

    def deadliness(test: Test, of: str) -> float:
        return -kills[of][test.name] / (test.seconds + 0.01)

    return sorted(tests, key=rank)


def run(
    directory: Path,
    *,
    given: str | None = None,
    jobs: int = 2,
    only: str = "",
    equivalent: Collection[str] = (),
    tell: Callable[[Verdict], None] = lambda _verdict: None,
    count: Callable[[int], None] = lambda _total: None,
) -> list[Verdict]:
    """
    Try every mutant whose name holds `only`, in `jobs` scratch databases at a time.

    Those believed to be `equivalent` are tried together: each alone would cost the whole suite.
    `count` hears how many there are, `tell` each verdict as it falls.
    Errors: Failure when a test fails unmutated, or there is no pgTAP to be had.
    """
    server = databases.start(directory, given)
    databases.ensure_pgtap(directory, server)
    found = _find(server, only)
    count(len(found))
    first, *others = [Killer(databases.copy(server, databases.PGTAP)) for _ in range(jobs)]
    tests = time_tests(first, read_tests())
    killers: SimpleQueue[Killer] = SimpleQueue()
    for killer in (first, *others):
        killers.put(killer)
    kills: defaultdict[str, Counter[str]] = defaultdict(Counter)  # by kind of mutant, and by file

    def one(mutant: Mutant) -> Verdict:
        killer = killers.get()
        try:
            if killer.runs > RUNS:
                killer.close()
                databases.drop(killer.database)
                killer = Killer(databases.copy(server, databases.PGTAP))
            return judge(killer, mutant, order(mutant, tests, kills))
        finally:
            killers.put(killer)

    def each(group: Sequence[Mutant]) -> list[Verdict]:
        verdict = one(replace(group[0], statement=";\n".join(m.statement for m in group)))
        if len(group) == 1 or verdict.outcome == SURVIVED:
            verdicts = [Verdict(mutant, verdict.outcome) for mutant in group]
        else:
            verdicts = [one(mutant) for mutant in group]
        for verdict in verdicts:
            for of in (verdict.mutant.kind, verdict.mutant.path):
                kills[of][verdict.outcome] += 1
            tell(verdict)
        return verdicts

    believed = [mutant for mutant in found if mutant.name in equivalent]
    groups = [*together(believed), *([m] for m in found if m.name not in equivalent)]
    try:
        with ThreadPoolExecutor(jobs) as pool:
            return [verdict for verdicts in pool.map(each, groups) for verdict in verdicts]
    finally:
        while not killers.empty():
            killers.get().close()


def together(found: Iterable[Mutant]) -> list[list[Mutant]]:
    """In groups, of which none has two mutants of one file, that could undo each other."""
    groups: list[list[Mutant]] = []
    for mutant in found:
        for group in groups:
            if all(mutant.path != other.path for other in group):
                group.append(mutant)
                break
        else:
            groups.append([mutant])
    return groups


def find(directory: Path, *, given: str | None = None, only: str = "") -> list[Mutant]:
    """The mutants whose name holds `only`, untried."""
    server = databases.start(directory, given)
    databases.ensure_pgtap(directory, server)
    return _find(server, only)


def _find(server: databases.Server, only: str) -> list[Mutant]:
    with (
        databases.clone(server, databases.PGTAP) as database,
        psycopg.connect(database.admin_url, autocommit=True) as connection,
    ):
        return [mutant for mutant in mutants.find(connection) if only in mutant.name]


def judge(killer: Killer, mutant: Mutant, tests: Iterable[Test]) -> Verdict:
    """Try one mutant until a test fails."""
    for test in tests:
        complaint = killer.fails(test, mutant.statement)
        if complaint:
            return Verdict(mutant, REFUSED if complaint == REFUSED else test.name)
    return Verdict(mutant, SURVIVED)


def read_ignored(path: Path) -> dict[str, str]:
    """
    The mutants that change nothing a client or an attacker could notice, each with its reason.

    Errors: Failure for one without a reason.
    """
    entries = tomllib.loads(path.read_text()).get("equivalent", []) if path.exists() else []
    for entry in entries:
        if not entry.get("name") or not entry.get("why"):
            raise Failure(f"{path}: each [[equivalent]] has a name and a why")
    return {entry["name"]: entry["why"] for entry in entries}


@dataclass(frozen=True, slots=True)
class Report:
    """
    What a run came to: mutants killed, by invariants too, survivors, and names in mutants.toml
    that do not belong there.
    """

    killed: int
    by_invariants: int
    refused: int
    ignored: int
    survivors: tuple[Mutant, ...]
    stale: tuple[str, ...]

    @classmethod
    def of(
        cls, verdicts: Sequence[Verdict], ignored: dict[str, str], *, whole: bool = True
    ) -> "Report":
        """The report of a run; of a `whole` one it is also told which names are stale."""
        survived = {v.mutant.name: v.mutant for v in verdicts if v.outcome == SURVIVED}
        killers = [v.outcome for v in verdicts if v.outcome not in (SURVIVED, REFUSED)]
        return cls(
            killed=len(killers),
            by_invariants=sum(Path(name).stem in INVARIANTS for name in killers),
            refused=sum(v.outcome == REFUSED for v in verdicts),
            ignored=len(survived.keys() & ignored.keys()),
            survivors=tuple(m for name, m in survived.items() if name not in ignored),
            stale=tuple(name for name in ignored if name not in survived) if whole else (),
        )

    @property
    def good(self) -> bool:
        """Whether every mutant was killed, but for the ones that are ignored with a reason."""
        return not self.survivors and not self.stale

    def lines(self) -> list[str]:
        """The report, the sum last."""
        said = []
        for mutant in self.survivors:
            said += [f"survived  {mutant.name}", f"          {mutant.path}"]
            said += [f"          | {line}" for line in mutant.statement.splitlines()]
        said += [f"stale     {name}: killed or gone, yet in mutants.toml" for name in self.stale]
        total = self.killed + len(self.survivors)
        said.append(
            f"{self.killed} of {total} mutants killed, {self.by_invariants} by the invariants of "
            f"the catalogue; {self.ignored} equivalent, {self.refused} refused by PostgreSQL"
        )
        return said


def as_json(verdicts: Iterable[Verdict]) -> list[dict[str, str]]:
    """Each mutant with what became of it."""
    return [
        {
            "name": verdict.mutant.name,
            "outcome": verdict.outcome,
            "path": verdict.mutant.path,
            "statement": verdict.mutant.statement,
        }
        for verdict in verdicts
    ]
