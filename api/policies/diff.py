"""
Drift: does a live database still say what the files say? `saas-api policies diff`.

A scratch database is made from the files, on a server of its own, since roles belong to a server
and bootstrap would mend those of the live one. Both catalogues are read by the same query
(drift.sql, beside this file), fact by fact, and compared. Nothing is changed: the SQL that would
mend is printed.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import psycopg

from api import definitions, files, migrate, urls
from api.failure import Failure, Say, say_nothing
from api.policies import databases

NAME = "--url"

# A month of audit events, or some months of late ones: audit.prepare_partitions makes them as time
# goes, each as events_default is, so that is what they are compared with.
TEMPLATE = re.compile(r"\baudit\.events_default\b")
PARTITION = re.compile(r"table (audit\.events_(\d{4})_(\d\d)(?:_to_(\d{4})_(\d\d))?)")
PARENT = "audit.events"

QUALIFIED = re.compile(r"\b(\w+)\.(\w+)(?:\.(\w+))?")
GRANTS, CONSTRAINTS = 130, range(80, 83)  # their phases
EXPRESSIONS = ("CHECK", "CREATE INDEX", "CREATE UNIQUE INDEX", "CREATE TRIGGER", "create policy")


@dataclass(frozen=True, slots=True)
class Fact:
    """A row of drift.sql, which says what each column is."""

    phase: int
    name: str
    part_of: str | None
    shape: str | None
    state: str
    make: str | None
    change: str | None
    undo: str | None
    also: str | None = None  # how PostgreSQL has `state` when it is made from that text

    def is_as(self, there: "Fact") -> bool:
        """Whether what is there says what is wanted."""
        return there.state in {self.state, self.also}


Catalogue = dict[str, Fact]  # by name, in the order to make them in


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as the files have it, the file, and the statements that mend it, in order."""

    name: str
    fault: Literal["missing", "different", "made anew", "too much", "renamed"]
    source: str | None
    mend: tuple[str, ...]

    def lines(self) -> list[str]:
        """As it is printed: a comment, then SQL."""
        source = self.source or "no file has it"
        return [f"-- {self.name}: {self.fault} ({source})", *(f"{each};" for each in self.mend)]


def differences(
    url: str, tree: files.Tree | None = None, *, say: Say = say_nothing
) -> list[Difference]:
    """
    What differs between the database at `url`, of saas_migrator or a superuser, and the files.

    Returns: nothing when all is well; else in an order in which the mends can be run.
    Errors: Failure when it cannot be reached, or is of another schema version.
    Source: api/policies/drift.sql
    """
    tree = tree or files.tree()
    with urls.connect(url, name=NAME) as connection:
        _refuse_other_version(connection, migrate.expected_version(tree), say)
        name = connection.info.dbname
        with (
            databases.migrated_server(name) as server,
            urls.connect(server.url("postgres", name), name="scratch") as wanted,
        ):
            live = read(connection, product_schemas(wanted))
            return compare(read_wanted(wanted), live, tree)


def product_schemas(connection: psycopg.Connection) -> list[str]:
    """The schemas that the files make."""
    query = (
        "select nspname from pg_catalog.pg_namespace"
        " where nspname <> 'information_schema' and nspname <> 'public' and nspname !~ '^pg_'"
    )
    return [name for (name,) in connection.execute(query)]


def read(connection: psycopg.Connection, schemas: Iterable[str]) -> Catalogue:
    """All that drift.sql says of a database, in the caller's transaction if there is one."""
    query = Path(__file__).with_name("drift.sql").read_bytes()
    with connection.transaction():
        for setting, value in (
            ("drift.schemas", ",".join(schemas)),
            ("search_path", "pg_catalog"),
            ("timezone", "UTC"),
        ):
            connection.execute("select pg_catalog.set_config(%s, %s, true)", [setting, value])
        rows = connection.execute(query).fetchall()
    facts = [Fact(*row[:8]) for row in rows]
    return {fact.name: fact for fact in facts}


def read_wanted(connection: psycopg.Connection) -> Catalogue:
    """
    All that drift.sql says of a scratch database.

    Some expressions read otherwise once they are made from what PostgreSQL says of them: `between`
    has parentheses that two comparisons have not. Who ran a mend has them so, and that is as good.
    """
    schemas = product_schemas(connection)
    facts = read(connection, schemas)
    with connection.transaction(force_rollback=True):
        for fact in facts.values():
            if fact.undo and fact.make and fact.state.startswith(EXPRESSIONS):
                connection.execute(fact.undo.encode())
                connection.execute(fact.make.encode())
        again = read(connection, schemas)
    return {
        name: replace(fact, also=again[name].state) if name in again else fact  # a comment is gone
        for name, fact in facts.items()
    }


def compare(wanted: Catalogue, live: Catalogue, tree: files.Tree) -> list[Difference]:
    """What differs: first what has another name, then what has to go, then what has to come."""
    source = _Sources(tree)
    found = []
    for rename in _renamings(wanted, live):
        live = rename.applied(live)
        found.append(
            Difference(rename.wanted.name, "renamed", source.of(rename.wanted), (rename.mend,))
        )
    wanted = {**wanted, **_partitions(wanted, live)}
    live = {
        name: fact for name, fact in live.items() if not _goes_with_its_place(fact, wanted, live)
    }
    remade: set[str | None] = set()
    for fact in sorted(wanted.values(), key=lambda fact: fact.phase):
        there = live.get(fact.name)
        if there is None or _is_remade(fact, there) or fact.part_of in remade:
            remade.add(fact.name)
    for fact in reversed(live.values()):
        goes = fact.part_of in remade or (fact.part_of in live and fact.part_of not in wanted)
        if fact.name not in wanted and fact.undo and not goes:
            found.append(Difference(fact.name, "too much", source.of(fact), (fact.undo,)))
    for fact in sorted(wanted.values(), key=lambda fact: fact.phase):
        there = live.get(fact.name)
        if there is not None and fact.is_as(there):
            if fact.part_of in remade and fact.make:  # it went with what is made anew
                found.append(Difference(fact.name, "made anew", source.of(fact), (fact.make,)))
            continue
        found.append(
            Difference(
                fact.name,
                "missing" if there is None else "different",
                source.of(fact),
                _mend(fact, None if fact.part_of in remade else there),
            )
        )
    return found


def _is_remade(fact: Fact, there: Fact) -> bool:
    """Whether the one that is there is not changed, but dropped and made anew."""
    return not fact.is_as(there) and (fact.change is None or there.shape != fact.shape)


def _mend(fact: Fact, there: Fact | None) -> tuple[str, ...]:
    if there is None:
        return (fact.make,) if fact.make else ()
    if _is_remade(fact, there):
        return tuple(each for each in (there.undo, fact.make) if each)
    return (fact.change,) if fact.change else ()


def _partitions(wanted: Catalogue, live: Catalogue) -> Catalogue:
    """What is wanted of each partition of audit.events that is there by name."""
    template = [f for f in wanted.values() if TEMPLATE.search(f.name)]
    facts = []
    for name in live:
        if match := PARTITION.fullmatch(name):
            table, *months = match.groups()
            for fact in template:
                copy = _renamed(fact, table)
                if copy.name == f"comment of table {table}":  # says which month, or why
                    copy = replace(copy, state=live[copy.name].state if copy.name in live else "")
                elif copy.name == f"place of table {table} in {PARENT}":
                    copy = _placed(copy, months)
                facts.append(copy)
    return {fact.name: fact for fact in facts}


def _goes_with_its_place(fact: Fact, wanted: Catalogue, live: Catalogue) -> bool:
    """Keys and checks of a partition that was detached: attached again, they are its parent's."""
    place = f"place of {fact.part_of} in {PARENT}"
    return fact.phase in CONSTRAINTS and place in wanted and place not in live


@dataclass(frozen=True, slots=True)
class _Renaming:
    """A table or column that is there by another name. To drop it would take its rows along."""

    wanted: Fact
    table: str  # of a column, as "table app.projects"
    old: str
    new: str

    @property
    def mend(self) -> str:
        what = "" if self.wanted.name.startswith("table ") else f"column {self.old} "
        return f"alter {self.table} rename {what}to {self.new.rpartition('.')[2]}"

    def applied(self, live: Catalogue) -> Catalogue:
        """The facts once it is renamed; those that read otherwise then are made anew in vain."""
        pattern = re.compile(rf"\b{re.escape(self.old)}\b")
        facts = [
            _replaced(fact, pattern, self.new) if self._concerns(fact) else fact
            for fact in live.values()
        ]
        return {fact.name: fact for fact in facts}

    def _concerns(self, fact: Fact) -> bool:
        if self.wanted.name.startswith("table "):
            return True
        table = self.table.removeprefix("table ")
        return bool(re.search(rf"\b{re.escape(table)}\b", f"{fact.name} {fact.part_of}"))


def _renamings(wanted: Catalogue, live: Catalogue) -> Iterator[_Renaming]:
    """Where the one thing that is missing is as the one that is too much."""
    missing = [fact for name, fact in wanted.items() if name not in live]
    extra = [fact for name, fact in live.items() if name not in wanted]
    for fact in missing:
        if not (match := re.fullmatch(r"(table|column) (\w+\.\w+)(?:\.(\w+))?", fact.name)):
            continue
        kind, table, column = match.groups()
        like = [each for each in extra if _shape(each, live) == _shape(fact, wanted)]
        alike = [each for each in missing if _shape(each, wanted) == _shape(fact, wanted)]
        if kind == "column" and f"table {table}" not in live:
            continue  # the table is, and its columns with it
        if len(like) == len(alike) == 1:
            old = like[0].name.removeprefix(f"{kind} ")
            if kind == "column":
                yield _Renaming(fact, f"table {table}", old.removeprefix(f"{table}."), column)
            else:
                yield _Renaming(fact, f"table {old}", old, table)


def _shape(fact: Fact, catalogue: Catalogue) -> object:
    """What two tables of a schema, or two columns of a table, share that differ in name alone."""
    kind, _, name = fact.name.partition(" ")
    if kind == "column":
        table, _, column = name.rpartition(".")
        return kind, table, fact.state.removeprefix(column)
    if kind == "table":
        columns = sorted(
            each.state
            for each in catalogue.values()
            if each.part_of == fact.name and each.name.startswith("column ")
        )
        return kind, name.partition(".")[0], fact.state, columns
    return fact.name


def _renamed(fact: Fact, table: str) -> Fact:
    return _replaced(fact, TEMPLATE, table)


def _replaced(fact: Fact, pattern: re.Pattern[str], new: str) -> Fact:
    def rename(text: str | None) -> str | None:
        return None if text is None else pattern.sub(new, text)

    return replace(
        fact,
        name=str(rename(fact.name)),
        part_of=rename(fact.part_of),
        state=str(rename(fact.state)),
        make=rename(fact.make),
        change=rename(fact.change),
        undo=rename(fact.undo),
    )


def _placed(fact: Fact, months: list[str | None]) -> Fact:
    """The bounds are those that the partition's name says."""
    year, month = int(months[2] or months[0] or 0), int(months[3] or months[1] or 0)
    end = f"{year + month // 12}-{month % 12 + 1:02}"
    bound = (
        f"FOR VALUES FROM ('{months[0]}-{months[1]}-01 00:00:00+00') TO ('{end}-01 00:00:00+00')"
    )
    return replace(fact, state=bound, make=str(fact.make).replace(fact.state, bound))


def _refuse_other_version(connection: psycopg.Connection, expected: str, say: Say) -> None:
    """A database of other files differs in all that they changed: that is for migrate."""
    try:
        with connection.transaction():
            connection.execute("set local role saas_owner")
            row = connection.execute("select version from deploy.schema_version").fetchone()
    except psycopg.Error as error:
        reason = error.diag.message_primary or type(error).__name__
        say(f"{connection.info.user} cannot read the schema version, taken for right ({reason})")
        return
    current = row[0] if row else None
    if current != expected:
        raise Failure(
            f"the database is at schema {current or 'none'}, this build has {expected}: "
            "run saas-api migrate first"
        )


class _Sources:
    """Which file a fact comes from, or would."""

    def __init__(self, tree: files.Tree) -> None:
        self.definitions = {each.path for each in definitions.read(tree)}
        self.migrations = [
            (f"sql/migrations/{path.name}", path.read_text())
            for path in sorted((tree.sql / "migrations").glob("*.sql"), reverse=True)
            if not path.name.endswith(".rollback.sql")
        ]

    def of(self, fact: Fact) -> str | None:
        """The path, relative to the project; None where no file speaks of it."""
        match = QUALIFIED.search(fact.name)
        if match is None:
            return self._of_unqualified(fact)
        schema, name, column = match.groups()
        if schema in {"pg_catalog", "information_schema"}:
            return "sql/bootstrap.sql"
        if schema == "guard":
            return "sql/guard.sql"
        if schema == "deploy":
            return "sql/ledger.sql"
        if PARTITION.fullmatch(f"table {schema}.{name}"):
            return "sql/functions/audit/add_partition.sql"
        for path in (
            f"sql/functions/{schema}/{name}.sql",
            f"sql/views/{schema}/{name}.sql",
            f"sql/triggers/{name}.sql" if "trigger" in fact.name else "",
            f"policies/{name}.sql" if "policy" in fact.name or fact.phase == GRANTS else "",
        ):
            if path in self.definitions:
                return path
        if match := re.search(r"(?:constraint|index) (?:\w+\.)?(\w+)", fact.name):
            column = match[1]
        about = rf"(?:table|on|domain|index) {schema}\.{name}\b"
        return (
            (column and self._migration(rf"{about}[^;]*\b{column}\b"))
            or (column and self._migration(rf"index {column}\b"))
            or self._migration(rf"create \w+ {schema}\.{name}\b")
        )

    def _of_unqualified(self, fact: Fact) -> str | None:
        """Roles, the database, schemas, event triggers."""
        if re.search(r"\b(?:schema guard|event trigger guard_)", fact.name):
            return "sql/guard.sql"
        if match := re.search(r"\bschema (\w+)", fact.name):
            if match[1] in {"public", "pg_catalog"}:
                return "sql/bootstrap.sql"
            if match[1] == "deploy":
                return "sql/ledger.sql"
            return (
                "policies/schemas.sql"
                if fact.phase == GRANTS
                else self._migration(rf"create {match[0]}\b")
            )
        if fact.name.startswith("default privileges"):
            return self._migration("alter default privileges")
        return "sql/bootstrap.sql"

    def _migration(self, pattern: str) -> str | None:
        """The newest migration with `pattern` in it."""
        return next((path for path, text in self.migrations if re.search(pattern, text)), None)


def script(found: Iterable[Difference]) -> Iterator[str]:
    """The lines of one transaction that mends all of `found`, for a superuser to read and run."""
    yield "-- For a superuser to read first: psql -v ON_ERROR_STOP=1 -f FILE"
    yield "begin;"
    yield "set local search_path = pg_catalog;"
    yield "set local check_function_bodies = off;"
    for difference in found:
        yield ""
        yield from difference.lines()
    yield ""
    yield "commit;"
