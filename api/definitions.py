"""
Replay functions, views, triggers and policies from their files.

A file is sql/functions/<schema>/<name>.sql (one function, no overloads),
sql/views/<schema>/<name>.sql, sql/triggers/<table>.sql (all triggers of the table) or
policies/<table>.sql (all its rights and policies; a file that names no table is only run).
The caller's transaction holds it all.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import LiteralString, cast

import psycopg
from psycopg import sql
from psycopg.sql import Identifier

from api import files
from api.failure import Failure, Say

KINDS = ("functions", "views", "triggers", "policies")
TABLE_SCHEMAS = ["app", "auth", "audit", "deploy"]
OWNERS = {"gate": "saas_gate", "audit": "saas_audit"}  # of functions; saas_owner has the rest
GRANTEES = ("saas_owner", "saas_gate", "saas_audit", "saas_api", "saas_migrator", "saas_dba")

# What a file may be missing because a later one makes it.
MISSING = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedObject,
    psycopg.errors.UndefinedFunction,
)

COMMENT = re.compile(r"--.*")
POLICY = re.compile(r"\bcreate policy (\w+)\s+on (\w+)\.(\w+)")
TRIGGER = re.compile(r"\bcreate (?:constraint )?trigger (\w+)\s.*?\son\s+(\w+)\.(\w+)", re.DOTALL)

# Kind, schema, table (or null) and name of all that definitions make. A disabled trigger is none.
OBJECTS: LiteralString = """
select 'policy', n.nspname, c.relname, p.polname
from pg_catalog.pg_policy as p
join pg_catalog.pg_class as c on c.oid = p.polrelid
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
union all
select 'trigger', n.nspname, c.relname, t.tgname
from pg_catalog.pg_trigger as t
join pg_catalog.pg_class as c on c.oid = t.tgrelid
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where t.tgenabled <> 'D' and not t.tgisinternal
union all
select 'function', n.nspname, null, p.proname
from pg_catalog.pg_proc as p
join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
where n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%'
union all
select 'view', n.nspname, null, c.relname
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where c.relkind = 'v' and n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%'
"""

Object = tuple[str, str, str | None, str]  # kind, schema, table, name

# The files of the functions whose parsed bodies need a function, directly or by way of others.
NEEDING: LiteralString = """
with recursive needing (oid) as (
    select %(oid)s::oid
    union
    select d.objid
    from needing as n
    join pg_catalog.pg_depend as d
        on d.classid = 'pg_proc'::regclass and d.refclassid = 'pg_proc'::regclass
        and d.refobjid = n.oid
)
select 'sql/functions/' || p.pronamespace::regnamespace || '/' || p.proname || '.sql'
from needing as n
join pg_catalog.pg_proc as p on p.oid = n.oid
where n.oid <> %(oid)s
"""


@dataclass(frozen=True, slots=True)
class Definition:
    """One file; `path` is relative to the project and is its name in the ledger."""

    path: str
    text: bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class Changes:
    """Definitions to run, in order, and the paths of those whose file is gone."""

    apply: tuple[Definition, ...]
    remove: tuple[str, ...]


def read(tree: files.Tree) -> list[Definition]:
    """All definitions of `tree`, in the order they are run in."""
    found = []
    for kind in KINDS:
        folder = tree.policies if kind == "policies" else tree.sql / kind
        prefix = "policies" if kind == "policies" else f"sql/{kind}"
        for path in sorted(folder.rglob("*.sql")):
            text = path.read_bytes()
            name = f"{prefix}/{path.relative_to(folder).as_posix()}"
            found.append(Definition(name, text, hashlib.sha256(text).hexdigest()))
    return found


def recorded(connection: psycopg.Connection) -> dict[str, str]:
    """The ledger: digest by path."""
    return dict(connection.execute("select path, sha256 from deploy.definitions"))


def compare(connection: psycopg.Connection, tree: files.Tree) -> Changes:
    """What differs between the files and the ledger, or is gone although the ledger has it."""
    ours, theirs = read(tree), recorded(connection)
    gone = {path for path, _ in missing(connection, tree)}
    return Changes(
        tuple(d for d in ours if theirs.get(d.path) != d.sha256 or d.path in gone),
        tuple(sorted(theirs.keys() - {d.path for d in ours})),
    )


def missing(connection: psycopg.Connection, tree: files.Tree) -> list[tuple[str, str]]:
    """The file and the description of each object that the files make and the database lacks."""
    there: set[Object] = set(connection.execute(OBJECTS).fetchall())
    return [
        (
            definition.path,
            f"{kind} " + (f"{name} on {schema}.{table}" if table else f"{schema}.{name}"),
        )
        for definition in read(tree)
        for kind, schema, table, name in _makes(definition)
        if (kind, schema, table, name) not in there
    ]


def _makes(definition: Definition) -> Iterator[Object]:
    """The objects that a file names."""
    path = definition.path
    text = COMMENT.sub("", definition.text.decode())
    match _kind(path):
        case "functions":
            yield "function", _schema(path), None, _stem(path)
        case "views":
            yield "view", _schema(path), None, _stem(path)
        case "triggers":
            yield from (("trigger", *m[1:], m[0]) for m in TRIGGER.findall(text))
        case _:
            yield from (("policy", *m[1:], m[0]) for m in POLICY.findall(text))


def replay(connection: psycopg.Connection, tree: files.Tree, changes: Changes, say: Say) -> None:
    """
    Make the database's definitions those of `tree`, given what differs.

    Errors: Failure naming the file that PostgreSQL refuses.
    """
    _Replay(connection, tree, say).run(changes)


def _kind(path: str) -> str:
    return path.split("/")[0] if path.startswith("policies/") else path.split("/")[1]


def _stem(path: str) -> str:
    return PurePosixPath(path).stem


def _schema(path: str) -> str:
    return PurePosixPath(path).parent.name


def _owner(path: str) -> str:
    return OWNERS.get(_schema(path), "saas_owner") if _kind(path) == "functions" else "saas_owner"


class _Replay:
    """One run. `todo` grows when a function cannot be exchanged under what depends on it."""

    def __init__(self, connection: psycopg.Connection, tree: files.Tree, say: Say) -> None:
        self.connection = connection
        self.tree = tree
        self.say = say
        self.todo: dict[str, Definition] = {}

    def run(self, changes: Changes) -> None:
        self.todo = {d.path: d for d in changes.apply}
        gone = {kind: [p for p in changes.remove if _kind(p) == kind] for kind in KINDS}
        self._as("saas_owner")
        for path in gone["policies"]:
            self._drop_policies(path)
            self._revoke_all(path)
        for path in gone["triggers"]:
            self._drop_triggers(path)
        for kind in KINDS:
            self._apply_kind(kind)
        self._drop_leftovers(gone["views"] + gone["functions"])
        self._as("saas_owner")
        for path in changes.remove:
            self.say(f"removed {path}")
            self.connection.execute("delete from deploy.definitions where path = %s", [path])

    def _apply_kind(self, kind: str) -> None:
        """Run the files of a kind; those that need another one of them first, again later."""
        while waiting := [d for d in self.todo.values() if _kind(d.path) == kind]:
            failures = []
            for definition in waiting:
                try:
                    with self.connection.transaction():
                        self._apply(kind, definition)
                except MISSING as error:
                    failures.append((definition, error))
                except psycopg.errors.LockNotAvailable:
                    raise
                except psycopg.Error as error:
                    raise _failure(definition, error) from None
                else:
                    self._record(definition)
            if len(failures) == len(waiting):
                raise _failure(*failures[0]) from None

    def _apply(self, kind: str, definition: Definition) -> None:
        self._as(_owner(definition.path))
        match kind:
            case "functions":
                self._replace_function(definition)
            case "views":
                self._drop_views([definition.path])
                self.connection.execute(definition.text)
            case "triggers":
                self._drop_triggers(definition.path)
                self.connection.execute(definition.text)
            case _:
                self._drop_policies(definition.path)
                self.connection.execute(definition.text)

    def _record(self, definition: Definition) -> None:
        self.say(f"defined {definition.path}")
        self._as("saas_owner")
        self.connection.execute(
            "insert into deploy.definitions (path, sha256) values (%s, %s) on conflict (path)"
            " do update set sha256 = excluded.sha256, applied_at = now()",
            [definition.path, definition.sha256],
        )
        self.todo.pop(definition.path, None)

    def _as(self, role: str) -> None:
        self.connection.execute(sql.SQL("set local role {}").format(Identifier(role)))

    # functions

    def _functions(self, path: str) -> dict[int, sql.SQL]:
        """Signatures by oid of the functions that have the file's name."""
        rows = self.connection.execute(
            "select p.oid, p.oid::regprocedure::text from pg_catalog.pg_proc as p"
            " where p.proname = %s and p.pronamespace = pg_catalog.to_regnamespace(%s)",
            [_stem(path), _schema(path)],
        )
        # regprocedure quotes, so that its text is as good as a literal
        return {oid: sql.SQL(cast(LiteralString, signature)) for oid, signature in rows}

    def _replace_function(self, definition: Definition) -> None:
        """Create or replace; when the signature changed, drop the old one. Rights start anew."""
        before = self._functions(definition.path)
        for signature in before.values():
            self._revoke_function(signature, _owner(definition.path))
        try:
            with self.connection.transaction():
                self.connection.execute(definition.text)
        except psycopg.errors.InvalidFunctionDefinition:  # another result or parameter names
            self._drop_functions(definition.path, before)
            self.connection.execute(definition.text)
        after = self._functions(definition.path)
        if after.keys() - before.keys():
            old = {oid: sign for oid, sign in before.items() if oid in after}
            self._drop_functions(definition.path, old)
            after = self._functions(definition.path)
        if len(after) != 1:
            raise Failure(
                f"{definition.path} has to make exactly one function, "
                f"{_schema(definition.path)}.{_stem(definition.path)}: it made {len(after)}"
            )

    def _revoke_function(self, signature: sql.SQL, owner: str) -> None:
        grantees = [Identifier(role) for role in GRANTEES if role != owner]
        self.connection.execute(
            sql.SQL("revoke all on function {} from public, {}").format(
                signature,
                sql.SQL(", ").join(grantees),
            )
        )

    def _drop_functions(self, path: str, signatures: dict[int, sql.SQL]) -> None:
        """Drop functions of a file; what needs them is dropped, too, to be made again."""
        for oid, signature in signatures.items():
            statement = sql.SQL("drop function {}").format(signature)
            try:
                with self.connection.transaction():
                    self.connection.execute(statement)
            except psycopg.errors.DependentObjectsStillExist:
                self._take_down()
                self._drop_needing(oid)
                self._as(_owner(path))
                self.connection.execute(statement)

    def _drop_needing(self, oid: int) -> None:
        """Drop the functions that need this one, to be made again in this run."""
        paths = {path for (path,) in self.connection.execute(NEEDING, {"oid": oid})}
        self._drop_in_rounds(sorted(paths & recorded(self.connection).keys()))
        for definition in read(self.tree):
            if definition.path in paths:
                self.todo.setdefault(definition.path, definition)

    def _take_down(self) -> None:
        """Drop all views, triggers and policies we know of, to be made again in this run."""
        self._as("saas_owner")
        known = recorded(self.connection)
        for path in known:
            if _kind(path) == "policies":
                self._drop_policies(path)
            elif _kind(path) == "triggers":
                self._drop_triggers(path)
        self._drop_views([path for path in known if _kind(path) == "views"])
        for definition in read(self.tree):
            if _kind(definition.path) != "functions":
                self.todo.setdefault(definition.path, definition)

    def _drop_leftovers(self, paths: list[str]) -> None:
        """Drop the views and functions whose file is gone; nothing left may need them."""
        try:
            self._as("saas_owner")
            self._drop_views([path for path in paths if _kind(path) == "views"])
            self._drop_in_rounds([path for path in paths if _kind(path) == "functions"])
        except psycopg.errors.DependentObjectsStillExist as error:
            detail = (error.diag.message_detail or "").splitlines()
            raise Failure(
                f"the file is gone, but {error.diag.message_primary}: {'; '.join(detail)}"
            ) from None

    def _drop_in_rounds(self, waiting: list[str]) -> None:
        """Drop the functions of these files, in whatever order they need each other."""
        while waiting:
            needed: list[str] = []
            for path in waiting:
                try:
                    with self.connection.transaction():
                        self._as(_owner(path))
                        for signature in self._functions(path).values():
                            self.connection.execute(sql.SQL("drop function {}").format(signature))
                except psycopg.errors.DependentObjectsStillExist:
                    needed.append(path)
                    if len(needed) == len(waiting):
                        raise
            waiting = needed

    # views, triggers, policies

    def _drop_views(self, paths: list[str]) -> None:
        if not paths:
            return
        names = [Identifier(_schema(path), _stem(path)) for path in paths]
        statement = sql.SQL("drop view if exists {}").format(sql.SQL(", ").join(names))
        try:
            with self.connection.transaction():
                self.connection.execute(statement)
        except psycopg.errors.DependentObjectsStillExist:
            if len(paths) > 1:
                raise
            self._take_down()

    def _tables(self, path: str) -> Iterator[Identifier]:
        """The table of the file's name: one, or none."""
        rows = self.connection.execute(
            "select n.nspname, c.relname from pg_catalog.pg_class as c"
            " join pg_catalog.pg_namespace as n on n.oid = c.relnamespace"
            " where c.relname = %s and n.nspname = any(%s) and c.relkind in ('r', 'p')",
            [_stem(path), TABLE_SCHEMAS],
        ).fetchall()
        if len(rows) > 1:
            raise Failure(f"{path} is ambiguous: a table of that name is in more than one schema")
        yield from (Identifier(*row) for row in rows)

    def _drop_triggers(self, path: str) -> None:
        for table in self._tables(path):
            rows = self.connection.execute(
                "select tgname from pg_catalog.pg_trigger where tgrelid = %s::regclass"
                " and not tgisinternal and tgparentid = 0",
                [table.as_string()],
            ).fetchall()
            for (name,) in rows:
                self.connection.execute(
                    sql.SQL("drop trigger {} on {}").format(Identifier(name), table)
                )

    def _drop_policies(self, path: str) -> None:
        for table in self._tables(path):
            rows = self.connection.execute(
                "select polname from pg_catalog.pg_policy where polrelid = %s::regclass",
                [table.as_string()],
            ).fetchall()
            for (name,) in rows:
                self.connection.execute(
                    sql.SQL("drop policy {} on {}").format(Identifier(name), table)
                )

    def _revoke_all(self, path: str) -> None:
        for table in self._tables(path):
            grantees = [Identifier(role) for role in GRANTEES if role != "saas_owner"]
            self.connection.execute(
                sql.SQL("revoke all on table {} from public, {}").format(
                    table, sql.SQL(", ").join(grantees)
                )
            )


def _failure(definition: Definition, error: psycopg.Error) -> Failure:
    """The file, the line if PostgreSQL says where, and its reason."""
    diag = error.diag
    place = definition.path
    if diag.statement_position:
        before = definition.text.decode()[: int(diag.statement_position) - 1]
        place += f":{before.count(chr(10)) + 1}"
    return Failure(f"{place}: {diag.message_primary or error}")
