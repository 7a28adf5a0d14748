"""
The mutants: each way to weaken one rule of the database, as SQL.

They are read from the catalogue of a migrated database, so that a table, a policy or a function of
tomorrow has its mutants without an edit here. What each weakens:

policy       dropped, USING or WITH CHECK true, restrictive made permissive, for PUBLIC instead of
             its role, each comparison reversed, each condition left out
rls          switched off, or not forced on the owner
grant        each privilege that a role of the product does not have, given
trigger      disabled, an event trigger too
function     each error not raised, each comparison reversed, each condition left out, each part of
             a format() (the sealed message) left out, each local setting made the session's,
             definer and invoker exchanged, search_path not fixed
permission   each permission that a role has not, given
constraint   dropped, of a domain too; so are unique indexes, and NOT NULL of the tenant's key
view         asks with the rights of its owner
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import psycopg

from api import files

TESTED = ("saas_api", "saas_gate", "saas_audit", "saas_dba", "public")
TABLE_VERBS = ("select", "insert", "update", "delete", "truncate", "references", "trigger")
CHECKING = ["gate", "ctx", "audit", "app", "guard"]  # the schemas whose functions hold rules

REVERSED = {
    "=": "<>",
    "<>": "=",
    "<": ">=",
    ">": "<=",
    "<=": ">",
    ">=": "<",
    "is null": "is not null",
    "is not null": "is null",
    "is distinct from": "is not distinct from",
    "is not distinct from": "is distinct from",
    "not exists": "exists",
    "exists": "not exists",
    "is not true": "is true",
}
COMPARISON = re.compile(
    r"(?<![-:=<>!~|@?#&*])(?:<>|<=|>=|=|<|>)(?![-=<>~|@?#&*])"
    r"|\bis (?:not )?(?:null|distinct from)\b|\bis not true\b|\b(?:not )?exists\b",
    re.IGNORECASE,
)
RAISE = re.compile(r"\braise exception\b[^;]*;", re.IGNORECASE)
SET_LOCAL = re.compile(r"\bset_config\(", re.IGNORECASE)
FORMAT = re.compile(r"\bformat\(", re.IGNORECASE)
# Where a condition begins, and where it ends, in the same pair of parentheses.
BEGINS = re.compile(r"\b(?:where|and|or|having|if|elsif|when)\b", re.IGNORECASE)
ENDS = re.compile(
    r"\b(?:and|or|then|group by|order by|limit|for update|having|returning|union|on conflict"
    r"|else|end|loop|set)\b|;|\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One weakened rule: what is weakened, how, by which SQL, and the file that has the rule."""

    kind: str
    rule: str
    change: str
    statement: str
    path: str

    @property
    def name(self) -> str:
        """How it is called in the report and in policies/mutants.toml."""
        return f"{self.kind} {self.rule}: {self.change}"


def find(connection: psycopg.Connection) -> list[Mutant]:
    """All mutants of the database that `connection`, a superuser's, leads to."""
    with connection.transaction(force_rollback=True):
        connection.execute("set local search_path = pg_catalog")
        connection.execute(TABLES)
        found = [
            *_policies(connection),
            *_row_security(connection),
            *_grants(connection),
            *_triggers(connection),
            *_functions(connection),
            *_permissions(connection),
            *_constraints(connection),
            *_views(connection),
        ]
    return [
        replace(mutant, path="sql/guard.sql") if re.search(r"\bguard\b", mutant.rule) else mutant
        for mutant in _named_apart(found)
    ]


def _named_apart(mutants: Iterable[Mutant]) -> Iterator[Mutant]:
    """The same, with a number behind the second of a name, and so on; none twice."""
    seen: Counter[str] = Counter()
    statements = set()
    for mutant in mutants:
        if mutant.statement in statements:
            continue
        statements.add(mutant.statement)
        seen[mutant.name] += 1
        number = seen[mutant.name]
        yield mutant if number == 1 else replace(mutant, change=f"{mutant.change} ({number})")


# Every table of the product: no partition, which is reached by way of its table alone.
TABLES = """
create temporary view tables as
select c.oid, c.oid::regclass::text as name, c.relname
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where
    c.relkind in ('r', 'p')
    and not c.relispartition
    and n.nspname in ('app', 'auth', 'audit', 'dba', 'guard')
"""


def _policies(connection: psycopg.Connection) -> Iterator[Mutant]:
    rows = connection.execute(
        """
        select
            quote_ident(p.polname), p.polrelid::regclass::text, c.relname, p.polpermissive,
            case p.polcmd
                when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update'
                when 'd' then 'delete' else 'all'
            end,
            coalesce(
                (
                    select string_agg(r::regrole::text, ', ')
                    from unnest(p.polroles) as r
                    where r <> 0
                ),
                'public'
            ),
            pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
        from pg_policy as p
        join pg_class as c on c.oid = p.polrelid
        join pg_namespace as n on n.oid = c.relnamespace
        where n.nspname in ('app', 'auth', 'audit', 'dba', 'guard')
        order by 2, 1
        """
    ).fetchall()
    for name, table, stem, permissive, command, roles, using, check in rows:
        rule, path = f"{name} on {table}", f"policies/{stem}.sql"

        def mutant(change: str, statement: str, rule: str = rule, path: str = path) -> Mutant:
            return Mutant("policy", rule, change, statement, path)

        yield mutant("dropped", f"drop policy {name} on {table}")
        if not permissive:
            clauses = (f" using ({using})" if using else "") + (
                f" with check ({check})" if check else ""
            )
            yield mutant(
                "permissive",
                f"drop policy {name} on {table}; "
                f"create policy {name} on {table} for {command} to {roles}{clauses}",
            )
        if roles != "public":
            yield mutant("for PUBLIC", f"alter policy {name} on {table} to public")
        for clause, expression in (("using", using), ("with check", check)):
            if expression is None:
                continue
            alter = f"alter policy {name} on {table} {clause} "
            if expression != "true":
                yield mutant(f"{clause} true", f"{alter}(true)")
            for change, text in _weaker(f"({expression})"):
                yield mutant(f"{clause} {change}", f"{alter}{text}")


def _row_security(connection: psycopg.Connection) -> Iterator[Mutant]:
    for (table,) in connection.execute("select name from pg_temp.tables order by 1").fetchall():
        path = _migration(table)
        yield Mutant("rls", table, "off", f"alter table {table} disable row level security", path)
        yield Mutant(
            "rls", table, "not forced", f"alter table {table} no force row level security", path
        )


def _grants(connection: psycopg.Connection) -> Iterator[Mutant]:
    absent = connection.execute(
        """
        select
            format('grant %%s on table %%s to %%s', v.verb, t.name, r.role),
            format('%%s on %%s', v.verb, t.name), r.role, 'policies/' || t.relname || '.sql'
        from pg_temp.tables as t
        cross join unnest(%s::text[]) as v (verb)
        cross join unnest(%s::text[]) as r (role)
        where not has_table_privilege(r.role, t.oid, v.verb)
        union all
        select
            format('grant %%s (%%I) on table %%s to %%s', v.verb, a.attname, t.name, r.role),
            format('%%s of %%I on %%s', v.verb, a.attname, t.name), r.role,
            'policies/' || t.relname || '.sql'
        from pg_temp.tables as t
        join pg_attribute as a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
        cross join unnest(array['insert', 'update']) as v (verb)
        cross join unnest(array['saas_api', 'saas_gate']) as r (role)
        where not has_column_privilege(r.role, t.oid, a.attnum, v.verb)
        union all
        select
            format('grant execute on function %%s to %%s', p.oid::regprocedure, r.role),
            format('execute on %%s', p.oid::regprocedure), r.role,
            format('sql/functions/%%s/%%s.sql', n.nspname, p.proname)
        from pg_proc as p
        join pg_namespace as n on n.oid = p.pronamespace
        cross join unnest(%s::text[]) as r (role)
        where
            n.nspname in ('api', 'app', 'audit', 'ctx', 'gate', 'dba', 'guard')
            and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
            and not has_function_privilege(r.role, p.oid, 'execute')
        union all
        select
            format('grant %%s on schema %%I to %%s', v.verb, n.nspname, r.role),
            format('%%s on schema %%I', v.verb, n.nspname), r.role, 'policies/schemas.sql'
        from pg_namespace as n
        cross join unnest(array['usage', 'create']) as v (verb)
        cross join unnest(%s::text[]) as r (role)
        where
            n.nspname in ('api', 'app', 'auth', 'audit', 'ctx', 'gate', 'deploy', 'dba', 'guard')
            and not has_schema_privilege(r.role, n.oid, v.verb)
        """,
        [list(TABLE_VERBS), list(TESTED), list(TESTED), list(TESTED)],
    ).fetchall()
    for statement, what, role, path in absent:
        yield Mutant("grant", what, f"to {role}", statement, path)


def _triggers(connection: psycopg.Connection) -> Iterator[Mutant]:
    rows = connection.execute(
        """
        select quote_ident(g.tgname), g.tgrelid::regclass::text, c.relname
        from pg_trigger as g
        join pg_class as c on c.oid = g.tgrelid
        join pg_namespace as n on n.oid = c.relnamespace
        where
            not g.tgisinternal
            and g.tgparentid = 0
            and n.nspname in ('app', 'auth', 'audit', 'dba', 'guard')
        order by 2, 1
        """
    ).fetchall()
    for name, table, stem in rows:
        yield Mutant(
            "trigger",
            f"{name} on {table}",
            "disabled",
            f"alter table {table} disable trigger {name}",
            f"sql/triggers/{stem}.sql",
        )
    rows = connection.execute(
        "select quote_ident(evtname), evtfoid::regprocedure::text from pg_event_trigger order by 1"
    ).fetchall()
    for name, function in rows:
        yield Mutant(
            "trigger",
            f"{name} executing {function}",
            "disabled",
            f"alter event trigger {name} disable",
            "sql/guard.sql",
        )


def _functions(connection: psycopg.Connection) -> Iterator[Mutant]:
    rows = connection.execute(
        """
        select
            p.oid::regprocedure::text, n.nspname, p.proname, p.prosecdef,
            p.proconfig is not null, pg_get_functiondef(p.oid)
        from pg_proc as p
        join pg_namespace as n on n.oid = p.pronamespace
        where n.nspname = any(%s)
        order by 1
        """,
        [CHECKING],
    ).fetchall()
    for signature, schema, name, definer, fixed, definition in rows:
        path = f"sql/functions/{schema}/{name}.sql"
        other = "invoker" if definer else "definer"

        def mutant(change: str, statement: str, rule: str = signature, path: str = path) -> Mutant:
            return Mutant("function", rule, change, statement, path)

        yield mutant(f"security {other}", f"alter function {signature} security {other}")
        if fixed:
            yield mutant("search_path open", f"alter function {signature} reset search_path")
        head, body = _split(definition)
        masked = _mask(body)
        for place in RAISE.finditer(masked):
            line = body[: place.start()].count("\n")
            yield mutant(
                f"line {line} raises nothing",
                head + body[: place.start()] + "null;" + body[place.end() :],
            )
        for change, text in (*_weaker(body), *_left_out(body), *_of_the_session(body)):
            yield mutant(change, head + text)


def _permissions(connection: psycopg.Connection) -> Iterator[Mutant]:
    rows = connection.execute(
        """
        select
            r.role, p.permission,
            replace(
                pg_get_functiondef('ctx.permissions()'::regprocedure), '::jsonb',
                format(
                    '::jsonb || jsonb_build_object(%L, %L::jsonb)', r.role,
                    ctx.permissions() -> r.role || to_jsonb(p.permission)
                )
            )
        from (select distinct x.role from ctx.permission as x) as r
        cross join (select distinct x.permission from ctx.permission as x) as p
        where not ctx.permissions() -> r.role ? p.permission
        order by 1, 2
        """
    ).fetchall()
    for role, permission, statement in rows:
        yield Mutant(
            "permission",
            permission,
            f"to {role}",
            statement,
            "sql/functions/ctx/permissions.sql",
        )


def _constraints(connection: psycopg.Connection) -> Iterator[Mutant]:
    rows = connection.execute(
        """
        select k.conrelid::regclass::text, quote_ident(k.conname)
        from pg_constraint as k
        join pg_temp.tables as t on t.oid = k.conrelid
        where k.contype in ('c', 'u', 'f', 'p')
        order by 1, 2
        """
    ).fetchall()
    for table, name in rows:
        yield Mutant(
            "constraint",
            f"{name} on {table}",
            "dropped",
            f"alter table {table} drop constraint {name} cascade",
            _migration(name),
        )
    rows = connection.execute(
        """
        select k.contypid::regtype::text, quote_ident(k.conname)
        from pg_constraint as k
        join pg_namespace as n on n.oid = k.connamespace
        where
            k.contypid <> 0
            and k.contype = 'c'
            and n.nspname in ('app', 'auth', 'audit', 'dba', 'guard')
        order by 1, 2
        """
    ).fetchall()
    for domain, name in rows:
        yield Mutant(
            "constraint",
            f"{name} of {domain}",
            "dropped",
            f"alter domain {domain} drop constraint {name}",
            _migration(name),
        )
    rows = connection.execute(
        """
        select i.indexrelid::regclass::text
        from pg_index as i
        join pg_temp.tables as t on t.oid = i.indrelid
        where
            i.indisunique
            and not exists (select from pg_constraint as k where k.conindid = i.indexrelid)
        order by 1
        """
    ).fetchall()
    for (index,) in rows:
        yield Mutant("constraint", index, "dropped", f"drop index {index}", _migration(index))
    rows = connection.execute(
        """
        select t.name
        from pg_temp.tables as t
        join pg_attribute as a on a.attrelid = t.oid
        where a.attname = 'organisation_id' and a.attnotnull
            and not exists (
                select from pg_index as i
                where i.indrelid = t.oid and i.indisprimary and a.attnum = any(i.indkey)
            )
        """
    ).fetchall()
    for (table,) in rows:
        yield Mutant(
            "constraint",
            f"organisation_id of {table}",
            "may be null",
            f"alter table {table} alter column organisation_id drop not null",
            _migration(table),
        )


def _views(connection: psycopg.Connection) -> Iterator[Mutant]:
    rows = connection.execute(
        """
        select
            c.oid::regclass::text, n.nspname, c.relname,
            'security_invoker=true' = any (c.reloptions)
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where c.relkind = 'v' and n.nspname in ('api', 'ctx', 'dba')
        order by 1
        """
    ).fetchall()
    for view, schema, name, as_reader in rows:
        yield Mutant(
            "view",
            view,
            f"with its {'owner' if as_reader else 'reader'}'s rights",
            f"alter view {view} set (security_invoker = {'false' if as_reader else 'true'})",
            f"sql/views/{schema}/{name}.sql",
        )


def _migration(name: str) -> str:
    """The migration that makes a table, a constraint or an index."""
    word = re.compile(rf"\b{re.escape(name)}\b")
    for path in sorted((files.tree().sql / "migrations").glob("*.sql")):
        if ".rollback." not in path.name and word.search(path.read_text()):
            return f"sql/migrations/{path.name}"
    return "sql/migrations"


def _split(definition: str) -> tuple[str, str]:
    """A function's header, and its body from the first line after `as` or `return`."""
    place = re.search(r"^AS \$function\$|^ ?RETURN |^BEGIN ATOMIC", definition, re.MULTILINE)
    assert place is not None, definition
    return definition[: place.start()], definition[place.start() :]


def _mask(text: str) -> str:
    """The same text, as long, with comments blank and strings of the letter x."""

    def blank(place: re.Match[str]) -> str:
        found = place[0]
        if found.startswith("--"):
            return " " * len(found)
        return "'" + "x" * (len(found) - 2) + "'"

    return re.sub(r"--[^\n]*|'(?:[^']|'')*'", blank, text)


def _weaker(text: str) -> Iterator[tuple[str, str]]:
    """Each comparison reversed, each condition left out: what changed, and the text then."""
    # What RAISE is given is named with an =, which is no comparison.
    masked = RAISE.sub(lambda place: " " * (len(place[0]) - 1) + ";", _mask(text))
    for place in COMPARISON.finditer(masked):
        other = REVERSED[" ".join(place[0].lower().split())]
        yield (
            f"{_excerpt(text, place.start(), place.end())} reversed",
            text[: place.start()] + other + text[place.end() :],
        )
    for start, end in _conditions(masked):
        yield (
            f"without {_short(text[start:end])}",
            text[:start] + " true " + text[end:],
        )


def _conditions(masked: str) -> Iterator[tuple[int, int]]:
    """Where each condition lies that is one of several, or the one of a WHERE or an IF."""
    for place in BEGINS.finditer(masked):
        end = _end(masked, place.end())
        if masked[place.end() : end].strip():
            yield place.end(), end
    # The first of several has no word before it where an expression begins in parentheses.
    for place in re.finditer(r"\b(?:and|or)\b", masked, re.IGNORECASE):
        start = _opening(masked, place.start())
        if start is not None:
            end = _end(masked, start)
            if end == place.start():
                yield start, end


def _end(masked: str, start: int) -> int:
    """Where a condition that begins at `start` ends."""
    depth, position = 0, start
    while position < len(masked):
        letter = masked[position]
        if letter == "(":
            depth += 1
        elif letter == ")":
            if depth == 0:
                return position
            depth -= 1
        elif depth == 0 and ENDS.match(masked, position):
            return position
        position += 1
    return position


def _opening(masked: str, end: int) -> int | None:
    """Just behind the parenthesis that encloses `end`."""
    depth = 0
    for position in range(end - 1, -1, -1):
        if masked[position] == ")":
            depth += 1
        elif masked[position] == "(":
            if depth == 0:
                return position + 1
            depth -= 1
    return None


def _arguments(masked: str, start: int) -> list[tuple[int, int]]:
    """Where each argument lies of the call whose parenthesis opens before `start`."""
    found, depth, begin = [], 0, start
    for position in range(start, len(masked)):
        letter = masked[position]
        if letter in "([":
            depth += 1
        elif letter in ")]":
            if depth == 0:
                found.append((begin, position))
                return found
            depth -= 1
        elif letter == "," and depth == 0:
            found.append((begin, position))
            begin = position + 1
    return found


def _left_out(text: str) -> Iterator[tuple[str, str]]:
    """Each value of a format() replaced by nothing."""
    masked = _mask(text)
    for place in FORMAT.finditer(masked):
        for start, end in _arguments(masked, place.end())[1:]:
            yield (
                f"format() without {_short(text[start:end])}",
                text[:start] + "''" + text[end:],
            )


def _of_the_session(text: str) -> Iterator[tuple[str, str]]:
    """Each set_config() for longer than the transaction."""
    masked = _mask(text)
    for place in SET_LOCAL.finditer(masked):
        arguments = _arguments(masked, place.end())
        if len(arguments) == 3 and text[slice(*arguments[2])].strip() == "true":
            start, end = arguments[2]
            yield (
                f"set_config({_short(text[slice(*arguments[0])])}) of the session",
                text[:start] + "false" + text[end:],
            )


def _excerpt(text: str, start: int, end: int) -> str:
    """A comparison with what stands around it, so that its name tells which one it is."""
    return _short(f"{text[max(0, start - 30) : start]}{text[start:end]}{text[end : end + 30]}", 70)


def _short(text: str, most: int = 70) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 3] + "..."
