"""Recording and alert rules: sound, about metrics that exist, with their tests and runbooks."""

import re
import subprocess
from collections.abc import Mapping

import pytest
import yaml  # type: ignore[import-untyped]

from tests.observability import promql

PROMETHEUS = promql.FOLDER / "prometheus"
RUNBOOKS = promql.ROOT / "docs" / "runbooks"
PAGES = sorted(RUNBOOKS.glob("SaasApi*.md"))
ALERTS = list(promql.rules("alerts.yml"))
RECORDED = {rule["record"]: rule for rule in promql.rules("recording.yml")}
RULES = [*ALERTS, *RECORDED.values()]
ADDED_BY_PROMETHEUS = {"job", "instance"}
CLOSED = ("outcome", "state", "sqlstate_class")  # labels whose values are all there from the start

Samples = Mapping[str, Mapping[str, set[str]]]


def run(*arguments: str) -> None:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_rules(promtool: str) -> None:
    run(promtool, "check", "rules", *map(str, promql.RULES.glob("*.yml")))


def test_promtool_accepts_configuration(promtool: str) -> None:
    run(promtool, "check", "config", "--syntax-only", str(PROMETHEUS / "prometheus.yml"))


def test_alerts_fire_when_they_should_and_only_then(promtool: str) -> None:
    run(promtool, "test", "rules", str(PROMETHEUS / "tests" / "alerts.yml"))


def test_each_alert_has_a_test_that_fires_and_one_that_does_not() -> None:
    tests = yaml.safe_load((PROMETHEUS / "tests" / "alerts.yml").read_text())["tests"]
    fires: set[str] = set()
    quiet: set[str] = set()
    for case in (case for test in tests for case in test["alert_rule_test"]):
        (fires if case["exp_alerts"] else quiet).add(case["alertname"])
    assert fires == quiet == {alert["alert"] for alert in ALERTS}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_alert_has_its_runbook(alert: dict[str, dict[str, str]]) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert alert["annotations"]["runbook_url"] == f"docs/runbooks/{alert['alert']}.md"
    text = (RUNBOOKS / f"{alert['alert']}.md").read_text()
    assert text.startswith(f"# {alert['alert']}\n")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == ["Meaning", "Impact", "Diagnosis", "Mitigation"]
    assert all(len(part.split()) > 10 for part in text.split("\n## ")[1:])


def test_each_runbook_is_of_an_alert_and_links_lead_somewhere() -> None:
    assert {path.stem for path in PAGES} == {alert["alert"] for alert in ALERTS}
    for path in PAGES:
        for link in re.findall(r"\]\(([^)#]+)", path.read_text()):
            assert (path.parent / link).exists(), (path.name, link)


def test_runbooks_query_metrics_that_are_exported(samples: Samples) -> None:
    for path in PAGES:
        for selector in promql.selectors(path.read_text()):
            assert selector.name in samples, (path.name, selector)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_rule_names_what_the_api_exports(rule: dict[str, str], samples: Samples) -> None:
    check(rule["expr"], samples)


def check(expression: str, samples: Samples) -> None:
    """Every metric, label and fixed value that an expression names is really there."""
    named = promql.selectors(expression)
    labels = set(ADDED_BY_PROMETHEUS)
    for selector in named:
        own = labels_of(selector.name, samples)
        labels |= own
        assert selector.matchers.keys() <= own | ADDED_BY_PROMETHEUS, selector
        for label in selector.matchers.keys() & set(CLOSED):
            values = set(selector.matchers[label][1].split("|"))
            known = {v for family in samples.values() for v in family.get(label, ())}
            assert values <= known, selector
    assert promql.grouped_by(expression) <= labels
    assert named or 'up{job="saas-api"}' in expression


def labels_of(name: str, samples: Samples) -> set[str]:
    """The labels of a sample, or those by which a recording rule aggregates."""
    if name in RECORDED:
        return promql.grouped_by(RECORDED[name]["expr"])
    assert name in samples, f"the API exports no {name}"
    return set(samples[name])
