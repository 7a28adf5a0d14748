"""Mutants: found from the catalogue, killed by the tests, and gone again afterwards."""

import json
import re
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from api import files
from api.failure import Failure
from api.policies import mutants, mutate
from api.policies.databases import Database
from api.policies.mutants import Mutant
from api.policies.mutate import REFUSED, SURVIVED, Killer, Report, Verdict
from tests.sql_files import ADMIN_URL

GADGETS = """
create table app.gadgets (
    organisation_id uuid not null,
    gadget_id uuid not null,
    name text not null,
    constraint gadgets_pkey primary key (organisation_id, gadget_id),
    constraint gadgets_name_length check (char_length(name) < 10)
);
alter table app.gadgets enable row level security;
alter table app.gadgets force row level security;
create policy tenant_isolation on app.gadgets as restrictive for all to public
using (organisation_id = (select ctx.tenant_id()) and name is not null)
with check (organisation_id = (select ctx.tenant_id()));
"""


@pytest.fixture
def killer(pgtap_database: Database) -> Iterator[Killer]:
    found = Killer(pgtap_database)
    yield found
    found.close()


@pytest.fixture(scope="module")
def tests() -> dict[str, mutate.Test]:
    return {test.name: test for test in mutate.read_tests()}


def names(database: Database) -> set[str]:
    with psycopg.connect(database.admin_url, autocommit=True) as connection:
        return {mutant.name for mutant in mutants.find(connection)}


def test_policy_dropped_is_killed_by_its_own_test_and_is_there_again(
    killer: Killer, tests: dict[str, mutate.Test], pgtap_database: Database
) -> None:
    test = tests["policies/projects.sql"]
    assert killer.fails(test) == ""
    assert killer.fails(test, "drop policy read_viewer on app.projects")
    assert killer.fails(test) == ""
    assert "policy read_viewer on app.projects: dropped" in names(pgtap_database)


def test_mutation_that_postgresql_refuses_is_no_mutant(
    killer: Killer, tests: dict[str, mutate.Test]
) -> None:
    assert (
        killer.fails(tests["policies/projects.sql"], "drop policy nobody on app.users") == REFUSED
    )


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("select is(1, 1); select is(1, 2, 'one is 2');", "not ok 2 - one is 2"),
        ("select is(1, 1);", "planned 2 tests, ran 1"),
        ("select is(1, 1); select todo('one day', 1); select is(1, 2);", ""),
    ],
)
def test_one_judge_hears_mutants_and_the_suite(killer: Killer, body: str, complaint: str) -> None:
    body = f"select plan(2); {body} select * from finish();"
    test = mutate.Test(files.pgtap_tests() / "x.sql", b"begin", body.encode())
    assert killer.fails(test) == complaint


def test_test_that_could_leave_something_behind_is_refused(
    killer: Killer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Failure, match="ends its transaction itself"):
        killer.fails(mutate.Test(files.pgtap_tests() / "x.sql", b"begin", b"end;"))
    (tmp_path / "x.sql").write_text("begin; select 1;\ncommit; begin; rollback;")
    monkeypatch.setattr(files, "pgtap_tests", lambda: tmp_path)
    with pytest.raises(Failure, match=r"x\.sql is one transaction of plain SQL: no commit in it"):
        mutate.read_tests()


def test_table_of_tomorrow_has_its_mutants_and_they_survive_until_it_is_tested(
    killer: Killer, tests: dict[str, mutate.Test], pgtap_database: Database
) -> None:
    with psycopg.connect(pgtap_database.admin_url, autocommit=True) as connection:
        connection.execute(GADGETS)
        found = {m.name: m for m in mutants.find(connection) if "app.gadgets" in m.rule}
    expected = {
        "policy tenant_isolation on app.gadgets: dropped",
        "policy tenant_isolation on app.gadgets: permissive",
        "policy tenant_isolation on app.gadgets: using true",
        "policy tenant_isolation on app.gadgets: with check true",
        "policy tenant_isolation on app.gadgets: using without (name IS NOT NULL)",
        "rls app.gadgets: off",
        "rls app.gadgets: not forced",
        "grant select on app.gadgets: to saas_api",
        "grant insert of name on app.gadgets: to saas_api",
        "constraint gadgets_pkey on app.gadgets: dropped",
        "constraint gadgets_name_length on app.gadgets: dropped",
    }
    assert expected <= found.keys()
    weak = found["constraint gadgets_name_length on app.gadgets: dropped"]
    policy = found["policy tenant_isolation on app.gadgets: using true"]
    assert policy.path == "policies/gadgets.sql"
    assert mutate.judge(killer, weak, [tests["policies/projects.sql"]]).outcome == SURVIVED


def test_conditions_and_comparisons_of_a_function_each_have_a_mutant(
    pgtap_database: Database,
) -> None:
    of_enter = {name for name in names(pgtap_database) if name.startswith("function gate.enter(")}
    changes = " ".join(of_enter)
    assert "without c.digest = p_credential" in changes
    assert "c.expires_at > clock_timestamp()" in changes
    assert sum("raises nothing" in name for name in of_enter) == 3
    assert "errcode =" not in changes


def test_order_begins_with_the_files_own_test_and_ends_with_the_least_deadly(
    tests: dict[str, mutate.Test],
) -> None:
    mutant = Mutant("policy", "x on app.users", "dropped", "", "policies/users.sql")
    kills = defaultdict(
        Counter,
        {
            "policy": Counter({"functions/gate/seal.sql": 9, "functions/api/login.sql": 1}),
            "policies/users.sql": Counter({"functions/api/login.sql": 1}),
        },
    )
    ordered = mutate.order(mutant, list(tests.values()), kills)
    assert [test.name for test in ordered][:5] == [
        "policies/users.sql",
        "functions/api/login.sql",
        "constraints.sql",
        "invariants.sql",
        "functions/gate/seal.sql",
    ]


def verdicts(*outcomes: str) -> list[Verdict]:
    return [
        Verdict(Mutant("policy", f"p{n}", "dropped", f"drop {n}", "policies/x.sql"), outcome)
        for n, outcome in enumerate(outcomes)
    ]


def test_report_names_each_survivor_with_its_file_and_its_sql() -> None:
    report = Report.of(verdicts("policies/x.sql", "invariants.sql", SURVIVED, REFUSED), {})
    assert not report.good
    text = "\n".join(report.lines())
    assert "survived  policy p2: dropped\n          policies/x.sql\n          | drop 2" in text
    assert "2 of 3 mutants killed, 1 by the invariants" in text
    assert "1 refused" in text


def test_report_accepts_an_equivalent_mutant_and_complains_of_a_stale_one() -> None:
    assert Report.of(verdicts(SURVIVED), {"policy p0: dropped": "says the same"}).good
    stale = Report.of(verdicts("policies/x.sql"), {"policy p0: dropped": "says the same"})
    assert not stale.good
    assert "stale     policy p0: dropped" in stale.lines()[0]
    assert Report.of(verdicts(), {"policy p0: dropped": "not asked"}, whole=False).good


def test_equivalent_mutant_without_a_reason_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mutants.toml"
    path.write_text('[[equivalent]]\nname = "policy p0: dropped"\n')
    with pytest.raises(Failure, match="a name and a why"):
        mutate.read_ignored(path)


def test_believed_equivalents_are_tried_together_but_for_those_of_one_file() -> None:
    a, b, c = (Mutant("policy", rule, "dropped", "", path) for rule, path in ("1x", "2y", "3x"))
    assert mutate.together([a, b, c]) == [[a, b], [c]]


def test_mutant_that_is_no_equivalent_is_killed_among_those_it_is_tried_with(
    run_directory: Path,
) -> None:
    """The one of another file is an equivalent: what kills the two is no test of its own."""
    equivalent = "policy update_gate on app.api_key_uses: with check true"
    wrong = "policy update_gate on app.organisations: dropped"
    found = mutate.run(
        run_directory,
        given=ADMIN_URL,
        jobs=1,
        only="policy update_gate",
        equivalent={equivalent, wrong},
    )
    outcomes = {verdict.mutant.name: verdict.outcome for verdict in found}
    assert outcomes[equivalent] == SURVIVED
    assert outcomes[wrong] not in (SURVIVED, REFUSED)


def test_example_of_the_how_to_is_what_a_survivor_looks_like(run_directory: Path) -> None:
    page = (files.tree().policies.parent / "docs/how-to/mutate-the-policies.md").read_text()
    example = re.search(r'--only "(.*)"\n```\n\n```text\n(.*?)\n```', page, re.DOTALL)
    assert example is not None
    found = mutate.run(run_directory, given=ADMIN_URL, jobs=1, only=example[1])
    assert Report.of(found, {}, whole=False).lines() == example[2].splitlines()
    equivalent = page[page.index("[[equivalent]]") :].partition("```")[0]
    (entry,) = tomllib.loads(equivalent)["equivalent"]
    assert Report.of(found, {entry["name"]: entry["why"]}, whole=False).good


def test_command_tries_what_it_is_asked_for_and_says_how_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.json"
    result = subprocess.run(
        [
            *(sys.executable, "-m", "api.cli", "policies", "mutate"),
            *("--only", "policy read_viewer on app.organisations", "--json", str(path)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr + result.stdout
    assert " mutants killed" in result.stdout
    outcomes = {each["name"]: each["outcome"] for each in json.loads(path.read_text())}
    assert outcomes["policy read_viewer on app.organisations: dropped"] == (
        "policies/organisations.sql"
    )
