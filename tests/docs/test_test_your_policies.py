"""The example of docs/how-to/test-your-policies.md is run, and seen to fail without the rule."""

import re
from pathlib import Path

import pytest

from api.policies import suite
from api.policies.databases import Database

BLOCK = re.compile(r"^```(sql|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECONDS = re.compile(r"\d+\.\d+ s")


def test_example_passes_and_without_its_rule_does_not(
    root: Path, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (root / "docs/how-to/test-your-policies.md").read_text()
    (_, example), (_, passes), (_, weakened), (_, fails) = BLOCK.findall(page)
    monkeypatch.chdir(tmp_path)
    path = Path("tests/mine/viewers.sql")
    path.parent.mkdir(parents=True)
    first = suite.prelude(database.admin_url)

    path.write_text(example)
    outcomes = list(suite.run([path], database.admin_url, first))
    said = [*suite.line(outcomes[0]), suite.total(outcomes)]
    assert SECONDS.sub("", "\n".join(said)) == SECONDS.sub("", passes.strip())

    path.write_text(example.replace("select tests.as(", f"{weakened}select tests.as(", 1))
    (outcome,) = suite.run([path], database.admin_url, first)
    assert SECONDS.sub("", suite.line(outcome)[0]) == SECONDS.sub("", fails.strip())
