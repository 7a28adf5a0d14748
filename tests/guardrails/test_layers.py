"""scripts/guardrails/layers.py: passes the tree, and catches each crime it names."""

import shutil
from pathlib import Path

import pytest

from scripts.guardrails import layers
from tests.guardrails.run import API, run

HANDLER = """
async def handle(call):
    {body}
"""

CRIMES = {
    "a query in a handler": ("await call.fetch('select name from app.projects')", "one call"),
    "two calls": (
        "await call.fetch('select a from api.a($1); select b from api.b($1)')",
        "one call",
    ),
    "a change in a handler": ('text = "delete from app.projects"', "one call"),
    "no select at all": ("await call.fetch('vacuum')", "one call"),
    "a literal in the call": ("""await call.fetch("select a from api.f($1, 'x')")""", "one call"),
    "a filter behind the call": (
        "await call.fetch('select body from api.f($1) as body where true')",
        "one call",
    ),
    "parameters out of order": ("await call.fetch('select body from api.f($2, $1)')", "order"),
    "SQL from somewhere else": ("await call.fetch(call.body['sql'])", "literal"),
    "SQL as an f-string": ("await call.fetch(f'select body from api.{name}($1)')", "f-string"),
    "SQL as an f-string, kept": ("text = f'select {column} from app.users'", "f-string"),
    "SQL by percent": ("text = 'select body from api.%s($1)' % name", "SQL by %"),
    "SQL by format": ("text = 'update app.users set {} = 1'.format(name)", "method of str"),
    "SQL by plus": ("text = 'select body from ' + name", "SQL by +"),
    "a try": ("try:\n        pass\n    finally:\n        pass", "no try"),
    "hashing": ("from hashlib import sha256", "hashes or signs"),
    "hashing, hidden": ("import importlib; importlib.import_module('argon2')", "hashes or signs"),
    "signing": ("import jwt.api_jwt", "hashes or signs"),
    "a driver": ("import asyncpg", "no driver"),
    "the environment": ("import os; x = os.environ['HOME']", "environment"),
    "the environment, by name": ("from os import getenv", "environment"),
}


def test_tree_passes() -> None:
    assert run("layers.py") == (0, "every layer keeps to its own business\n")


@pytest.mark.parametrize("crime", CRIMES)
def test_crime_in_a_handler_is_caught(tmp_path: Path, crime: str) -> None:
    body, rule = CRIMES[crime]
    api = tmp_path / "api"
    shutil.copytree(API, api, ignore=shutil.ignore_patterns("__pycache__"))
    (api / "handlers" / "crime.py").write_text(HANDLER.format(body=body))
    status, said = run("layers.py", api)
    assert status == 1
    assert "handlers/crime.py:3: " in said
    assert rule in said


@pytest.mark.parametrize(
    ("text", "caught"),
    [
        ("connection.execute(f'drop table {name}')\n", True),
        ("connection.execute('select ' + name)\n", True),
        ("connection.execute(sql.SQL('drop table {}').format(sql.Identifier(name)))\n", False),
        ("say(f'set {name} to a free one')\n", False),
        ("raise Failure(f'with {name} as it is, nothing can be done')\n", False),
        ("import os\nos.environb\n", True),
    ],
)
def test_crime_outside_of_handlers_is_caught(tmp_path: Path, text: str, caught: bool) -> None:
    for name in layers.MAY_HASH:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "module.py").write_text(text)
    assert run("layers.py", tmp_path)[0] == int(caught)


def test_place_that_is_gone_leaves_the_list(tmp_path: Path) -> None:
    status, said = run("layers.py", tmp_path)
    assert status == 1
    assert "credentials.py: is on the list" in said
