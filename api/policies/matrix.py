"""
The access matrix: declared in policies/matrix.csv, proven by trying every cell.

A row of the file is a table and a verb, a column an actor, a cell what the actor reaches:

`-`        nothing: no grant, SQLSTATE 42501
`sealed`   nothing: no sealed context, SQLSTATE SA401
`none`     nothing: granted, but no policy opens a row
`self`     rows of the actor's own person or key
`tenant`   rows of the organisation entered
`all`      rows of every organisation, or of a table that belongs to none

Each cell is tried on real rows of the actor, of somebody else in the actor's organisation and of
another organisation, and undone. Where a table has none, one is made from its columns. What a
policy asks beyond that, such as a date that has passed, is for tests/sql.

Partitions and the schemas deploy and guard are left out: nobody has a grant there but the owner,
and on deploy.schema_version the API, to read it (invariants.sql and guard.sql in tests/sql).
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.sql import Identifier

from api import files
from api.failure import Failure
from api.policies import databases

VERBS = ("select", "insert", "update", "delete")
IN_ACME = ("owner", "admin", "member", "viewer", "api_key")
OUTSIDE = ("stranger", "nobody", "forger")
ROLES = ("saas_gate", "saas_audit", "saas_owner", "saas_dba", "saas_migrator", "public")
ACTORS = (*IN_ACME, *OUTSIDE, *ROLES)
WORDS = ("-", "sealed", "none", "self", "tenant", "all")

REACHED = (("anybody", "all"), ("other", "all"), ("tenant", "tenant"), ("self", "self"))
DENIED, SEALED, HIDDEN, REFUSED, DONE = "denied", "sealed", "hidden", "refused", "done"
# A statement that a key or a check stops has passed the policies.
PASSED = ("23", "SA409")

TABLES: LiteralString = """
select n.nspname || '.' || c.relname
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
join tests.product_schemas as s on s.oid = n.oid
where c.relkind in ('r', 'p') and not c.relispartition and n.nspname not in ('deploy', 'guard')
order by 1
"""

POLICIES: LiteralString = """
select
    p.schemaname || '.' || p.tablename, p.policyname, p.permissive = 'PERMISSIVE', lower(p.cmd),
    array_to_string(p.roles, ', '), p.qual, p.with_check,
    coalesce(obj_description(c.oid, 'pg_policy'), '')
from pg_catalog.pg_policies as p
join pg_catalog.pg_policy as c
    on c.polname = p.policyname
    and c.polrelid = format('%I.%I', p.schemaname, p.tablename)::regclass
order by 1, 3, 2
"""

COLUMNS: LiteralString = """
select a.attname, a.attnotnull and not a.atthasdef, format_type(t.oid, null)
from pg_catalog.pg_attribute as a
join pg_catalog.pg_type as t
    on t.oid = (select coalesce(nullif(b.typbasetype, 0), b.oid) from pg_catalog.pg_type as b
                where b.oid = a.atttypid)
where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped
order by a.attnum
"""

# A value for a column that must have one, by type, where a table has no row to try.
EXAMPLES: dict[str, LiteralString] = {
    "text": "'example'",
    "uuid": "uuidv7()",
    "integer": "1",
    "smallint": "1",
    "bigint": "1",
    "numeric": "1",
    "boolean": "true",
    "date": "current_date",
    "timestamp with time zone": "now()",
    "jsonb": "'{}'",
    "json": "'{}'",
    "bytea": "sha256('example')",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: whose row it was (self, tenant, other, or anybody's), the SQL, and how it ended."""

    whose: str
    statement: str
    outcome: str
    said: str


@dataclass(frozen=True, slots=True)
class Cell:
    """What is declared for an actor, a table and a verb, and what was found."""

    table: str
    verb: str
    actor: str
    declared: str | None
    attempts: tuple[Attempt, ...]

    @property
    def proven(self) -> str:
        """The word for what the attempts came to."""
        outcomes = {attempt.whose: attempt.outcome for attempt in self.attempts}
        for whose, word in REACHED:
            if outcomes.get(whose) == DONE:
                return word
        if set(outcomes.values()) == {DENIED}:
            return "-"
        return "sealed" if SEALED in outcomes.values() else "none"

    @property
    def fault(self) -> str:
        """What is wrong with it, by name; '' if it is as declared."""
        where = f"{self.actor}, {self.verb} on {self.table}"
        if self.declared is None:
            return f"{where}: not declared, found {self.proven}"
        if self.declared not in WORDS:
            return f"{where}: {self.declared} is none of {', '.join(WORDS)}"
        if self.declared != self.proven:
            tries = "; ".join(f"{a.whose} row: {a.said}" for a in self.attempts)
            return f"{where}: declared {self.declared}, found {self.proven} ({tries})"
        return ""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as the catalogue has it; `command` is a verb or `all`."""

    table: str
    name: str
    permissive: bool
    command: str
    roles: str
    using: str | None
    check: str | None
    comment: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """All cells, the policies, and the declared cells that there is nothing for."""

    cells: tuple[Cell, ...]
    policies: tuple[Policy, ...]
    unknown: tuple[str, ...]

    @property
    def faults(self) -> list[str]:
        """Every cell that is undeclared or wrong, and every row too many."""
        return [cell.fault for cell in self.cells if cell.fault] + [
            f"{name}: declared, but not there" for name in self.unknown
        ]


Declaration = dict[tuple[str, str, str], str]  # table, verb, actor


def declared(path: Path | None = None) -> Declaration:
    """The matrix as the file has it. Errors: Failure for a file of another form."""
    path = path or files.tree().policies / "matrix.csv"
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        if rows.fieldnames is None or list(rows.fieldnames[:2]) != ["table", "verb"]:
            raise Failure(f"{path}: the first line is table,verb and the actors")
        return {
            (row["table"], row["verb"], actor): (row[actor] or "").strip()
            for row in rows
            for actor in rows.fieldnames[2:]
        }


def prove(database: databases.Database, declaration: Declaration) -> Matrix:
    """
    Try every cell in a scratch database with pgTAP and the helpers; nothing stays behind.

    Errors: Failure for a table that no row can be made for.
    """
    with psycopg.connect(database.admin_url, autocommit=True) as connection:
        connection.execute("set client_min_messages = error")
        with connection.transaction(force_rollback=True):
            tables = [name for (name,) in connection.execute(TABLES).fetchall()]
            policies = tuple(Policy(*row) for row in connection.execute(POLICIES).fetchall())
            _raise_the_curtain(connection)
            cells = tuple(
                Cell(table, verb, actor, declaration.get((table, verb, actor)), attempts)
                for table in tables
                for verb, actor, attempts in _Stage(connection, table).play()
            )
    there = {(cell.table, cell.verb, cell.actor) for cell in cells}
    unknown = sorted(declaration.keys() - there)
    return Matrix(cells, policies, tuple(f"{actor}, {verb} on {t}" for t, verb, actor in unknown))


def _raise_the_curtain(connection: psycopg.Connection) -> None:
    """Two tenants of pgTAP's, and someone who has no privilege but PUBLIC's."""
    connection.execute("create role matrix_public")
    for tenant in ("Acme", "Globex"):
        connection.execute("select tests.new_tenant(%s)", [tenant])
        connection.execute("select tests.new_project('Apollo', %s)", [tenant])


class _Stage:
    """One table, and the rows of it that actors try themselves on."""

    def __init__(self, connection: psycopg.Connection, table: str) -> None:
        self.connection = connection
        self.table = table
        self.name = Identifier(*table.split("."))
        rows = connection.execute(COLUMNS, [table]).fetchall()
        self.types = {name: kind for name, _, kind in rows}
        self.needed = [name for name, needed, _ in rows if needed]
        self.person = next(
            (n for n in ("user_id", "principal_id", "created_by_user_id") if n in self.types), None
        )

    def play(self) -> Iterator[tuple[str, str, tuple[Attempt, ...]]]:
        """Every verb of every actor."""
        for verb in VERBS:
            for actor in ACTORS:
                yield verb, actor, tuple(self._attempts(verb, actor))

    def _attempts(self, verb: str, actor: str) -> Iterator[Attempt]:
        whose = ["self", "tenant", "other"] if self.person else ["tenant", "other"]
        if not {"organisation_id", "user_id"} & self.types.keys():
            whose = ["anybody"]
        for each in whose:
            with self.connection.transaction(force_rollback=True):
                yield self._attempt(verb, actor, each)

    def _attempt(self, verb: str, actor: str, whose: str) -> Attempt:
        """One try in a savepoint of its own: the row is there, then the actor comes."""
        become(self.connection, None)
        statements = list(self._statements(verb, actor, self._row(actor, whose)))
        become(self.connection, actor)
        said, outcome, statement = "", HIDDEN, sql.Composed([])
        for statement in statements:
            outcome, said = self._try(statement)
            if outcome == DONE:
                break
        return Attempt(whose, statement.as_string(self.connection), outcome, said)

    def _try(self, statement: sql.Composed) -> tuple[str, str]:
        try:
            with self.connection.transaction(force_rollback=True):
                count = self.connection.execute(statement).rowcount
        except psycopg.Error as error:
            state = error.sqlstate or ""
            said = f"{state} {error.diag.message_primary}"
            if state.startswith(PASSED):
                return DONE, said
            if state == "SA401":
                return SEALED, said
            policy = "row-level security" in (error.diag.message_primary or "")
            if state == "42501" and not policy:
                return DENIED, said
            return REFUSED, said
        return (DONE, f"{count} row") if count else (HIDDEN, "0 rows")

    # rows

    def _row(self, actor: str, whose: str) -> str:
        """The place of a row: of the actor, of the viewer's organisation, or of another one."""
        tenant = "Globex" if whose == "other" else "Acme"
        return self._find(actor, whose, tenant) or self._make(actor, whose, tenant)

    def _where(self, actor: str, whose: str, tenant: str) -> sql.Composed:
        """The condition for a row of theirs."""
        person = _id(actor) if whose == "self" else _somebody(actor, tenant)
        parts: list[sql.Composable] = [sql.SQL("true")]
        if "organisation_id" in self.types:
            parts.append(
                sql.SQL(
                    "(organisation_id = tests.organisation({}) or organisation_id is null)"
                ).format(tenant)
            )
        if self.person == "user_id" or (self.person and whose == "self"):
            parts.append(sql.SQL("{} = {}").format(Identifier(self.person), person))
        elif self.person:
            parts.append(sql.SQL("{} <> {}").format(Identifier(self.person), _id(actor)))
        return sql.SQL(" and ").join(parts)

    def _find(self, actor: str, whose: str, tenant: str) -> str | None:
        query = sql.SQL("select ctid::text from {} where {} limit 1").format(
            self.name, self._where(actor, whose, tenant)
        )
        row = self.connection.execute(query).fetchone()
        return str(row[0]) if row else None

    def _make(self, actor: str, whose: str, tenant: str) -> str:
        """A row that is handed to them, or else made from the columns that must have a value."""
        given: dict[str, sql.Composable] = {}
        if "organisation_id" in self.types:
            given["organisation_id"] = sql.SQL("tests.organisation({})").format(tenant)
        if self.person:
            given[self.person] = _id(actor) if whose == "self" else _somebody(actor, tenant)
        hand_over = sql.SQL(
            "update {0} set {1} where ctid = (select ctid from {0} limit 1) returning ctid::text"
        ).format(
            self.name,
            sql.SQL(", ").join(
                sql.SQL("{} = {}").format(Identifier(name), value) for name, value in given.items()
            ),
        )
        values = {name: sql.SQL(EXAMPLES.get(self.types[name], "null")) for name in self.needed}
        make = _insert(self.name, {**values, **given}) + sql.SQL(" returning ctid::text")
        said = ""
        for query in (hand_over, make) if given else (make,):
            try:
                with self.connection.transaction():
                    # No trigger and no foreign key: the row need not make sense, only be there.
                    self.connection.execute("set local session_replication_role = replica")
                    row = self.connection.execute(query).fetchone()
                    self.connection.execute("set local session_replication_role = origin")
            except psycopg.Error as error:
                said = error.diag.message_primary or said
            else:
                if row is not None:
                    return str(row[0])
        if self._reached(actor):
            raise Failure(f"no example row for {self.table}: {said}")
        return "(0,0)"

    def _reached(self, actor: str) -> bool:
        """Whether the actor has any privilege on the table, so that a row matters."""
        row = self.connection.execute(
            "select bool_or(has_any_column_privilege(%s, %s, v))"
            " or has_table_privilege(%s, %s, 'delete')"
            " from unnest(array['select', 'insert', 'update']) as v",
            [_role(actor), self.table] * 2,
        ).fetchone()
        return bool(row and row[0])

    # statements

    def _statements(self, verb: str, actor: str, place: str) -> Iterator[sql.Composed]:
        there = sql.SQL(" where ctid = {}::tid").format(place)
        if verb == "select":
            yield sql.SQL("select from {}").format(self.name) + there
        elif verb == "delete":
            yield sql.SQL("delete from {}").format(self.name) + there
        elif verb == "update":
            for column in self._granted(actor, "update") or list(self.types)[:1]:
                for value in (Identifier(column), sql.SQL("default"), sql.SQL("now()")):
                    if value != sql.SQL("now()") or "timestamp" in self.types[column]:
                        yield (
                            sql.SQL("update {} set {} = {}").format(
                                self.name, Identifier(column), value
                            )
                            + there
                        )
        else:
            yield self._insert(actor, place)

    def _insert(self, actor: str, place: str) -> sql.Composed:
        """The same row once more, as far as the actor may write its columns."""
        columns = self._granted(actor, "insert")
        if not columns:
            return _insert(self.name, {})
        row = self.connection.execute(
            sql.SQL("select {} from {} where ctid = {}::tid").format(
                sql.SQL(", ").join(
                    sql.SQL("quote_nullable({}::text)").format(Identifier(c)) for c in columns
                ),
                self.name,
                place,
            )
        ).fetchone()
        values = [sql.SQL(text) for text in row] if row else [sql.SQL("default")] * len(columns)
        return _insert(self.name, dict(zip(columns, values, strict=True)))

    def _granted(self, actor: str, verb: str) -> list[str]:
        rows = self.connection.execute(
            "select a.attname from pg_catalog.pg_attribute as a where a.attrelid = %s::regclass"
            " and a.attnum > 0 and not a.attisdropped"
            " and has_column_privilege(%s, a.attrelid, a.attnum, %s) order by a.attnum",
            [self.table, _role(actor), verb],
        )
        return [name for (name,) in rows.fetchall()]


def _insert(table: Identifier, values: dict[str, sql.Composable]) -> sql.Composed:
    if not values:
        return sql.SQL("insert into {} default values").format(table)
    return sql.SQL("insert into {} ({}) values ({})").format(
        table, sql.SQL(", ").join(map(Identifier, values)), sql.SQL(", ").join(values.values())
    )


def _id(actor: str, tenant: str = "Acme") -> sql.Composed:
    """The id of an actor; a database role acts in the context of the owner."""
    return sql.SQL("tests.user_id({}, {})").format("owner" if actor in ROLES else actor, tenant)


def _somebody(actor: str, tenant: str) -> sql.Composed:
    """The id of somebody else."""
    return _id("member" if actor == "viewer" else "viewer", tenant)


def _role(actor: str) -> str:
    """The database role that an actor is."""
    if actor == "public":
        return "matrix_public"
    return actor if actor in ROLES else "saas_api"


def become(connection: psycopg.Connection, actor: str | None) -> None:
    """
    Step into an actor's shoes; None: a superuser again.

    saas_gate and saas_audit run definers, so they come in the context of an owner.
    """
    connection.execute("select tests.as_superuser()")
    match actor:
        case None:
            return
        case "nobody":
            connection.execute("select tests.as_nobody()")
        case "forger":
            connection.execute("select tests.as_forger('owner')")
        case "saas_gate" | "saas_audit":
            connection.execute("select tests.as('owner')")
            connection.execute("select set_config('role', %s, true)", [actor])
        case _ if actor in ROLES:
            connection.execute("select set_config('role', %s, true)", [_role(actor)])
        case _:
            connection.execute("select tests.as(%s)", [actor])


def as_csv(matrix: Matrix) -> str:
    """What was found, in the form of policies/matrix.csv."""
    lines = [",".join(("table", "verb", *ACTORS))]
    proven = {(cell.table, cell.verb, cell.actor): cell.proven for cell in matrix.cells}
    for table, verb in dict.fromkeys((cell.table, cell.verb) for cell in matrix.cells):
        lines.append(",".join((table, verb, *(proven[table, verb, actor] for actor in ACTORS))))
    return "\n".join(lines) + "\n"


def run(directory: Path, *, given: str | None = None, path: Path | None = None) -> Matrix:
    """Prove the declaration in `path` on a scratch database of the run in `directory`."""
    server = databases.start(directory, given)
    databases.ensure_pgtap(directory, server)
    with databases.clone(server, databases.PGTAP) as database:
        return prove(database, declared(path))
