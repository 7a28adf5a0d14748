"""
A table of one's own: `saas-api new-table invoices`.

Writes what docs/how-to/add-a-table.md explains, from the whole files in templates/new_table, where
the table is called gizmos; and adds to the files that list what there is. It changes a checkout.
"""

import difflib
import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from api import files
from api.failure import Failure

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
# Of one spelling or another (categories, movies; branches, caches; statuses, houses), or no plural.
UNTOLD = re.compile(r"(?:ie|oe|[^s]se|[^t]che|ze|ve|(?:\b|_)axe|[ius])s\Z")
LONGEST = 20  # with which the templates keep to WIDTH, and constraints to their 63 characters
WIDTH = 100

RIGHTS = {
    "owner": ("read", "write"),
    "admin": ("read", "write"),
    "member": ("read", "write"),
    "viewer": ("read",),
}
EVENTS = ("created", "updated", "deleted")

# In a sentence, where underscores are spaces; what PostgreSQL says of "table gizmos" has the name.
PROSE = re.compile(r"(?<![\w.'\"`])(?<!table )gizmos?(?![\w`(]|\.\w)")
ARTICLE = re.compile(r"\b([Aa])(?= gizmo\b)")


@dataclass(frozen=True, slots=True)
class Noun:
    """What the table holds, in the plural, which is its name, and one of it."""

    plural: str
    singular: str

    def fill(self, template: str) -> str:
        """A template with its gizmos replaced."""
        words = {name: getattr(self, key).replace("_", " ") for name, key in GIZMOS}
        text = ARTICLE.sub(r"\1n" if self.singular[0] in "aeiou" else r"\1", template)
        text = PROSE.sub(lambda match: words[match[0]], text)
        for name, key in GIZMOS:
            text = text.replace(name, getattr(self, key))
        return text


GIZMOS = (("gizmos", "plural"), ("gizmo", "singular"))


@dataclass(frozen=True, slots=True)
class Change:
    """A file of the checkout, by its path in it, with its text; `before` is '' for a new one."""

    path: str
    before: str
    after: str

    def patch(self) -> str:
        """As `git apply` takes it."""
        lines = difflib.unified_diff(
            self.before.splitlines(keepends=True),
            self.after.splitlines(keepends=True),
            f"a/{self.path}" if self.before else "/dev/null",
            f"b/{self.path}",
        )
        return "".join(lines)


def checkout() -> Path:
    """The folder that the files are written to. Errors: Failure where this is no checkout."""
    root = files.tree().sql.parent
    if not (root / "templates").is_dir():
        raise Failure(
            "new-table writes source files, and this saas-api is an installed package: "
            "run the one of a checkout (.venv/bin/saas-api)"
        )
    return root


def plan(root: Path, name: str, singular: str | None = None) -> list[Change]:
    """
    What would be written into the checkout `root`, for a table app.`name`.

    Errors: Failure for a name that will not do, or is taken.
    """
    noun = _noun(name, singular)
    migration = f"{_next_number(root):04}_{noun.plural}"
    new = list(_new_files(root, noun, migration))
    _refuse_taken(root, noun, new)
    return [*new, *_additions(root, noun, migration)]


def write(root: Path, changes: Sequence[Change]) -> None:
    """Write the files."""
    for change in changes:
        path = root / change.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(change.after)


def _noun(plural: str, singular: str | None) -> Noun:
    singular = singular or _singular(plural)
    for name in (plural, singular):
        if not NAME.fullmatch(name) or len(name) > LONGEST:
            raise Failure(
                f"{name!r} is no name for a table here: lower-case letters, digits and single "
                f"underscores, a letter first, at most {LONGEST} characters"
            )
    if singular == plural:
        raise Failure(
            f"{plural} is no plural that is known: name the table in the plural, "
            "and say with --singular what one of it is"
        )
    return Noun(plural, singular)


def _singular(plural: str) -> str:
    """One of it. Errors: Failure where the spelling does not tell."""
    if UNTOLD.search(plural):
        raise Failure(
            f"what one of {plural} is cannot be told from its spelling: say it with --singular"
        )
    return plural.removesuffix("es" if plural.endswith(("sses", "shes", "tches", "xes")) else "s")


def _refuse_taken(root: Path, noun: Noun, new: Sequence[Change]) -> None:
    made = re.compile(rf"\bcreate table (?:if not exists )?\w+\.{noun.plural}\b")
    for path in [*(root / change.path for change in new), *sorted((root / "sql").rglob("*.sql"))]:
        if path.exists() and (path.stem == noun.plural or made.search(path.read_text())):
            raise Failure(f"{noun.plural} is taken: {path.relative_to(root)} has it")
    for action in _actions(root):
        if action.startswith(f"{noun.singular}."):
            raise Failure(f"{noun.singular} is taken: the audit has the action {action}")


def _next_number(root: Path) -> int:
    names = [path.name for path in (root / "sql" / "migrations").glob("[0-9]*_*.sql")]
    return 1 + max(int(name.split("_")[0]) for name in names)


def _actions(root: Path) -> list[str]:
    """The actions of the audit, as api/schemas.py has them."""
    (inside,) = re.findall(r"^ACTIONS = \[\n(.*?)^\]", _read(root, "api/schemas.py"), re.M | re.S)
    return re.findall(r'"([\w.]+)"', inside)


def _new_files(root: Path, noun: Noun, migration: str) -> Iterator[Change]:
    """Each template whose path has the noun in it."""
    templates = root / "templates" / "new_table"
    known = _actions(root)
    for template in sorted(templates.rglob("*gizmos*.sql")):
        path = template.relative_to(templates).as_posix().replace("NNNN_gizmos", migration)
        text = template.read_text()
        for word, actions in (
            ("with_these", [*known, *(f"{noun.singular}.{event}" for event in EVENTS)]),
            ("without_these", known),
        ):
            text = text.replace(f"            'actions.{word}'", _wrapped(actions, "'", 12))
        yield Change(path.replace("gizmos", noun.plural), "", noun.fill(text))


def _additions(root: Path, noun: Noun, migration: str) -> Iterator[Change]:
    """What is added to the files that list what there is."""
    templates = root / "templates" / "new_table"

    def fragment(path: str) -> str:
        return noun.fill((templates / path).read_text().replace("NNNN_gizmos", migration))

    for path, row in (
        ("docs/reference/roles-and-permissions.md", r"\| `\w+\.\w+` \|"),
        ("CHANGELOG.md", r"\| `\d{4}_\w+` \|"),
    ):
        text = _read(root, path)
        yield Change(path, text, _below_rows(text, row, fragment(path)))

    text = _read(root, "policies/matrix.csv")
    head, *rows = text.splitlines(keepends=True)
    rows += fragment("policies/matrix.csv").splitlines(keepends=True)
    rows.sort(key=lambda row: row.split(",")[0])
    yield Change("policies/matrix.csv", text, head + "".join(rows))

    path = "sql/functions/ctx/permissions.sql"
    text = _read(root, path)
    yield Change(path, text, _permitting(text, noun))

    text = _read(root, "api/schemas.py")
    head, rest = text.split("ACTIONS = [\n", 1)
    inside, rest = rest.split("]\n", 1)
    inside += "".join(f'    "{noun.singular}.{event}",\n' for event in EVENTS)
    yield Change("api/schemas.py", text, f"{head}ACTIONS = [\n{inside}]\n{rest}")


def _read(root: Path, path: str) -> str:
    return (root / path).read_text()


def _below_rows(text: str, row: str, rows: str) -> str:
    """A page with `rows` at the end of the first table that has rows like `row`."""
    lines = text.splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if re.match(row, line))
    length = sum(1 for _ in takewhile(lambda line: re.match(row, line), lines[first:]))
    return "".join([*lines[: first + length], rows, *lines[first + length :]])


def _permitting(text: str, noun: Noun) -> str:
    """The function of permissions, with those of the noun; its only text is the JSON."""
    before, literal, after = text.split("'", 2)
    roles: dict[str, list[str]] = json.loads(literal)
    for role, rights in RIGHTS.items():
        roles[role] += [f"{noun.plural}.{right}" for right in rights]
    return before + "'" + _as_json(roles) + "'" + after


def _as_json(roles: dict[str, list[str]]) -> str:
    """A role a line, or as many as it takes."""
    entries = []
    for role, permissions in roles.items():
        entry = f'    "{role}": {json.dumps(permissions)}'
        if len(entry) >= WIDTH:
            entry = f'    "{role}": [\n{_wrapped(permissions, chr(34), 8)}\n    ]'
        entries.append(entry)
    return "{\n" + ",\n".join(entries) + "\n}"


def _wrapped(names: Sequence[str], quote: str, indent: int) -> str:
    """Names in quotes, with commas, in lines of at most WIDTH."""
    margin = " " * indent
    text = ", ".join(f"{quote}{name}{quote}" for name in names)
    return textwrap.fill(text, WIDTH, initial_indent=margin, subsequent_indent=margin)
