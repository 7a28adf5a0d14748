#!/usr/bin/env python3
"""
The layers of api/ keep to their own business:

- a handler's SQL is one call of an `api.*` function, its parameters $1, $2, ... in their order;
- no SQL is put together from strings (psycopg.sql, which quotes, is how names get in), but in the
  place named below;
- what hashes or signs is imported in the places named below, each for its reason;
- a handler has no try: one middleware turns errors into problems;
- the environment is read in api/settings.py and api/cli.py.

`layers.py [DIRECTORY]` prints file:line and the rule that is broken. Exit status: 0 or 1.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

HASHING = {"hashlib", "hmac", "argon2", "jwt", "bcrypt", "passlib", "crypt"}
MAY_HASH = {
    "credentials.py": "access tokens and API keys",
    "passwords.py": "Argon2id",
    "definitions.py": "digests of SQL files",
    "migrate.py": "digests of SQL files",
    "embedded.py": "a short name for a long path",
    "policies/pgtap.py": "what is downloaded is checked",
    "docs_pages.py": "Content-Security-Policy names a script by its digest",
}
# SQL made from the catalogue's own text, quoted by PostgreSQL, for scratch databases.
MAY_COMPOSE = {"policies/mutants.py"}
MAY_READ_ENVIRONMENT = {"settings.py", "cli.py"}
DRIVERS = {"asyncpg", "psycopg"}

# What a handler may send: columns, one function, its parameters.
CALL = re.compile(
    r"select (?:[a-z_]+|current_setting\('app\.(?:audit_events|next_cursor)', true\))"
    r"(?:, (?:[a-z_]+|current_setting\('app\.(?:audit_events|next_cursor)', true\)))*"
    r" from api\.[a-z_]+\(((?:\$\d+(?:, \$\d+)*)?)\)(?: as [a-z_]+)?"
)
SENDS = {"fetch", "fetch_row", "fetch_value", "fetchrow", "fetchval", "change", "execute"}
SENDS |= {"executemany", "page"}
SQL = re.compile(
    r"\s*(?:select\s|insert\s+into\s|update\s+[\w.\"{}%]+\s+set\s|delete\s+from\s|with\s+\w+\s+as\s"
    r"|(?:create|alter|drop|comment\s+on)\s+(?:or\s+replace\s+)?(?:unique\s+)?(?:table|index|role"
    r"|user|database|schema|function|view|policy|trigger|sequence|extension|type)\s"
    r"|(?:grant|revoke)\s.*\s(?:on|to|from)\s|set\s+(?:local|role|session)\s|truncate\s"
    r"|lock\s+table\s|reset\s+role)",
    re.IGNORECASE | re.DOTALL,
)

Fault = tuple[int, str]


def faults(path: Path, root: Path) -> Iterator[Fault]:
    """What is wrong in one file, by line."""
    name = path.relative_to(root).as_posix()
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    for node in ast.walk(tree):
        if name not in MAY_COMPOSE:
            yield from composed_sql(node)
        if name not in MAY_HASH:
            yield from imports(node, HASHING, "what hashes or signs is imported in credentials.py")
        if name not in MAY_READ_ENVIRONMENT:
            yield from environment(node)
        if name.startswith("handlers/"):
            yield from imports(node, DRIVERS, "a handler knows no driver")
            yield from handler(node)


def handler(node: ast.AST) -> Iterator[Fault]:
    """Handlers: SQL only as a call, and no try."""
    if isinstance(node, ast.Try | ast.TryStar):
        yield node.lineno, "a handler has no try"
    match node:
        case ast.Constant(value=str(text)) if SQL.match(text):
            yield from statement(node.lineno, text)
        case ast.Call(func=ast.Attribute(attr=name), args=[ast.Constant(value=str(text)), *_]):
            if name in SENDS:
                yield from statement(node.lineno, text)
        case ast.Call(func=ast.Attribute(attr=name)) if name in SENDS:
            yield node.lineno, "a handler's SQL is a literal"


def statement(line: int, text: str) -> Iterator[Fault]:
    """SQL that is no call, or mixes its parameters up."""
    call = CALL.fullmatch(text)
    if call is None:
        yield line, "a handler's SQL is one call of an api.* function"
    elif call[1] and call[1] != ", ".join(f"${n + 1}" for n in range(call[1].count("$"))):
        yield line, "parameters are $1, $2, ... in their order"


def composed_sql(node: ast.AST) -> Iterator[Fault]:
    """SQL as an f-string, by %, by format() or by + with anything but another literal."""
    match node:
        case ast.JoinedStr(values=[ast.Constant(value=str(start)), *_]) if SQL.match(start):
            yield node.lineno, "SQL as an f-string"
        case ast.BinOp(op=ast.Mod(), left=left) if is_sql(left):
            yield node.lineno, "SQL by %"
        case ast.BinOp(op=ast.Add(), left=left, right=right) if is_sql(left):
            if not is_text(right):
                yield node.lineno, "SQL by +"
        case ast.Call(func=ast.Attribute(attr="format" | "join" | "replace", value=left)):
            if is_sql(left):
                yield node.lineno, "SQL by a method of str"
        case ast.Call(func=ast.Attribute(attr=name), args=[first, *_]) if name in SENDS:
            if isinstance(first, ast.JoinedStr | ast.BinOp) and not is_text(first):
                yield node.lineno, "SQL that is put together where it is sent"


def imports(node: ast.AST, modules: set[str], rule: str) -> Iterator[Fault]:
    """An import of one of the modules, or of a part of it."""
    match node:
        case ast.Import(names=names):
            found = [alias.name for alias in names]
        case ast.ImportFrom(module=str(module)):
            found = [module]
        case ast.Call(func=ast.Name(id="__import__"), args=[ast.Constant(value=str(module)), *_]):
            found = [module]
        case ast.Call(
            func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(module)), *_]
        ):
            found = [module]
        case _:
            return
    for module in found:
        if module.partition(".")[0] in modules:
            yield node.lineno, f"{rule}: {module}"


def environment(node: ast.AST) -> Iterator[Fault]:
    """os.environ and its kin, imported or used."""
    names = {"environ", "environb", "getenv", "getenvb"}
    match node:
        case ast.Attribute(value=ast.Name(id="os"), attr=attr) if attr in names:
            yield node.lineno, "the environment is read in settings.py and cli.py"
        case ast.ImportFrom(module="os", names=imported):
            if names & {alias.name for alias in imported}:
                yield node.lineno, "the environment is read in settings.py and cli.py"


def is_text(node: ast.AST) -> bool:
    """Whether an expression is text that stands in the source as it is."""
    match node:
        case ast.Constant(value=str()):
            return True
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return is_text(left) and is_text(right)
        case _:
            return False


def is_sql(node: ast.AST) -> bool:
    """Whether an expression begins as SQL does."""
    match node:
        case ast.Constant(value=str(text)):
            return SQL.match(text) is not None
        case ast.JoinedStr(values=[first, *_]):
            return is_sql(first)
        case ast.BinOp(op=ast.Add(), left=left):
            return is_sql(left)
        case _:
            return False


def main(root: Path) -> int:
    """Print what is wrong in any Python file under `root`, which is the folder api/."""
    broken = 0
    for path in sorted(root.rglob("*.py")):
        for line, rule in sorted(set(faults(path, root))):
            print(f"{path}:{line}: {rule}")
            broken += 1
    unused = [name for name in MAY_HASH if not (root / name).is_file()]
    for name in unused:
        print(f"{root / name}: is on the list of what may hash, and is not there")
    if not broken and not unused:
        print("every layer keeps to its own business")
    return int(bool(broken or unused))


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(main(Path(given[0]) if given else Path(__file__).resolve().parents[2] / "api"))
