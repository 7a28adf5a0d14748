"""The reference and the code say the same, both ways."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from api import openapi, problems
from api import settings as settings_module
from api.handlers import projects
from api.problems import Kind
from api.routes import routes
from api.schemas import ACTIONS
from api.settings import Settings

VARIABLE = re.compile(r"SAAS_API_[A-Z_]+")


def _rows(page: str, heading: str | None = None) -> Iterator[list[str]]:
    """The cells of a page's table rows, heads and rules left out, below one heading or anywhere."""
    text = page
    if heading is not None:
        text = page.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    for line in text.splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def _code(cell: str) -> str:
    return cell.strip("`")


@pytest.fixture
def documented_settings(root: Path) -> dict[str, str]:
    """Default by variable, as the page has it."""
    page = (root / "docs/reference/settings.md").read_text()
    return {_code(row[0]): _code(row[1]) for row in _rows(page)}


@pytest.fixture
def example_settings(root: Path) -> dict[str, str]:
    """Default by variable, as example.env has it."""
    lines = (root / "example.env").read_text().splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def _default(name: str) -> str:
    """What the code does when the variable is not set, in the words of the documents."""
    if name == "SAAS_API_APP_VERSION":
        return "the package's version"
    value = getattr(Settings(), name.removeprefix("SAAS_API_").lower())
    if value in (None, (), settings_module.PLACEHOLDER_JWT_SECRET):
        return "empty"
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_settings_page_and_example_name_what_the_code_reads(
    root: Path, documented_settings: dict[str, str], example_settings: dict[str, str]
) -> None:
    read = set(VARIABLE.findall((root / "api/settings.py").read_text()))
    assert set(documented_settings) == read
    assert set(example_settings) == read


def test_settings_page_has_the_defaults_of_the_code(documented_settings: dict[str, str]) -> None:
    assert documented_settings == {name: _default(name) for name in documented_settings}


def test_example_has_the_defaults_of_the_code(example_settings: dict[str, str]) -> None:
    expected = {
        name: "" if _default(name) in ("empty", "the package's version") else _default(name)
        for name in example_settings
    }
    assert example_settings == expected


def test_example_loads_to_the_defaults(example_settings: dict[str, str]) -> None:
    assert settings_module.load(example_settings) == Settings()


def test_documents_name_no_unknown_setting(root: Path, documented_settings: dict[str, str]) -> None:
    of_scripts = {  # the smoke demo's, a guardrail's, the tests'
        "SAAS_API_DEMO_BASE_URL",
        "SAAS_API_DEMO_RUN_ID",
        "SAAS_API_FORBIDDEN_TERMS_FILE",
        "SAAS_API_TEST_ADMIN_URL",
    }
    known = documented_settings.keys() | of_scripts
    for path in [*root.glob("*.md"), *root.glob("docs/**/*.md"), root / "policies/README.md"]:
        unknown = set(VARIABLE.findall(path.read_text())) - known
        assert not unknown, f"{path.name} names {unknown}"


def test_http_page_has_every_route_and_no_other(root: Path) -> None:
    page = (root / "docs/reference/http.md").read_text()
    documented = re.findall(r"^### `([A-Z]+) (\S+)`$", page, re.MULTILINE)
    assert sorted(documented) == sorted((r.method, r.path) for r in routes(Settings()))


def test_http_page_has_every_field_and_parameter(root: Path) -> None:
    page = (root / "docs/reference/http.md").read_text()
    for route in routes(Settings()):
        section = page.split(f"### `{route.method} {route.path}`\n", 1)[1].split("\n##", 1)[0]
        names = set(route.body.properties if route.body else ())
        names |= set(route.query.shape.properties if route.query else ())
        missing = {name for name in names if f"`{name}`" not in section}
        assert not missing, f"{route.method} {route.path} lacks {missing}"


def test_http_page_has_every_refusal(root: Path) -> None:
    page = (root / "docs/reference/http.md").read_text()
    for route in routes(Settings()):
        section = page.split(f"### `{route.method} {route.path}`\n", 1)[1].split("\n##", 1)[0]
        documented = {
            int(each) for each in re.findall(r"\b[45]\d\d\b", section.partition("Errors:")[2])
        }
        declared = {kind.status for kind in openapi.refusals(route)}
        if route.authenticated or route.body is not None:  # the page says these once for all
            documented, declared = documented - {408, 503}, declared - {408, 503}
        if route.handler in (projects.get, projects.list_page):
            declared -= {403}  # every role and an API key may read projects
        assert documented == declared, f"{route.method} {route.path}"


def _kinds(module: ModuleType) -> dict[str, Kind]:
    return {kind.name: kind for kind in vars(module).values() if isinstance(kind, Kind)}


@pytest.fixture
def errors_page(root: Path) -> str:
    return (root / "docs/reference/errors.md").read_text()


def test_errors_page_has_every_problem_with_its_status(errors_page: str) -> None:
    documented = {_code(row[0]): int(row[1]) for row in _rows(errors_page, "Problems")}
    assert documented == {name: kind.status for name, kind in _kinds(problems).items()}


def test_errors_page_has_every_sqlstate_with_its_problem(errors_page: str) -> None:
    documented = {_code(r[0]): r[2].split("`")[-2] for r in _rows(errors_page, "SQLSTATEs")}
    table = {**problems.SQLSTATES, **problems.SQLSTATE_CLASSES}
    assert documented == {state: kind.name for state, kind in table.items()}


def test_errors_page_has_every_constraint_with_its_problem(errors_page: str) -> None:
    documented = {_code(row[0]): _code(row[2]) for row in _rows(errors_page, "Constraints")}
    assert documented == {name: kind.name for name, kind in problems.CONSTRAINTS.items()}


def test_every_sqlstate_of_ours_is_raised_and_mapped(root: Path) -> None:
    raised = set()
    for path in (root / "sql").rglob("*.sql"):
        raised |= set(re.findall(r"errcode = '(SA\w+)'", path.read_text()))
    assert raised == {state for state in problems.SQLSTATES if state.startswith("SA")}


def test_every_constraint_of_ours_is_in_the_sql(root: Path) -> None:
    sql = "".join(path.read_text() for path in (root / "sql").rglob("*.sql"))
    missing = {name for name in problems.CONSTRAINTS if name not in sql}
    assert not missing


def test_permissions_page_has_what_the_function_has(root: Path) -> None:
    page = (root / "docs/reference/roles-and-permissions.md").read_text()
    roles = ("owner", "admin", "member", "viewer", "api_key")
    documented = {
        (role, _code(row[0]))
        for row in _rows(page, "Who may do what")
        for role, cell in zip(roles, row[1:6], strict=True)
        if cell == "yes"
    }
    function = (root / "sql/functions/ctx/permissions.sql").read_text()
    permissions = json.loads(function.split("'")[1])
    assert documented == {(role, each) for role, held in permissions.items() for each in held}


def test_architecture_names_every_module(root: Path) -> None:
    page = (root / "docs/explanation/architecture.md").read_text()
    table = page.split("\n## What Python does\n", 1)[1].split("\n## ", 1)[0]
    modules = {f"api/{path.name}" for path in (root / "api").glob("[!_]*.py")}
    folders = {f"api/{path.parent.name}/" for path in (root / "api").glob("*/__init__.py")}
    assert set(re.findall(r"`(api/[^`]+)`", table)) == modules | folders


def test_audit_page_has_every_action_of_the_product_and_none_unknown(root: Path) -> None:
    page = (root / "docs/explanation/audit.md").read_text()
    # The last list that is not of a table of yours: docs/how-to/add-a-table.md.
    ours = re.findall(r"'(\w+\.\w+)'", (root / "sql/migrations/0011_dba.sql").read_text())
    documented = set()
    for cell, *_ in _rows(page, "What is recorded"):
        first, *others = cell.split(", ")
        noun = _code(first).partition(".")[0]
        documented |= {_code(first), *(noun + _code(each) for each in others)}
    assert set(ours) <= documented <= set(ACTIONS)


def test_decisions_index_has_every_decision(root: Path) -> None:
    folder = root / "docs/adr"
    index = (folder / "README.md").read_text()
    headings = {p.name: p.read_text().split("\n", 1)[0] for p in folder.glob("0*.md")}
    rows = re.findall(r"^\| \[(\d{4})\]\((\S+)\) \| (.+) \| ", index, re.MULTILINE)
    assert {file: f"# {number}. {title}" for number, file, title in rows} == headings


def test_changelog_has_a_line_for_every_migration(root: Path) -> None:
    changelog = (root / "CHANGELOG.md").read_text()
    migrations = {
        path.stem
        for path in (root / "sql/migrations").glob("*.sql")
        if not path.name.endswith(".rollback.sql")
    }
    missing = {name for name in migrations if f"| `{name}` |" not in changelog}
    assert not missing
