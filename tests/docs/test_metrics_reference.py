"""docs/reference/metrics.md and the code name the same families, labels and values."""

import asyncio
import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from api import metrics

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "metrics.md").read_text()
ROW = re.compile(r"^\| `(saas_api_\w+)` \| (\w+) \| (.+?) \| (.+) \|$", re.MULTILINE)


def values(label: str) -> set[str]:
    """What the page says a label can be, but for words that are no values."""
    row = re.search(rf"^\| `{label}` \| (.+) \|$", PAGE, re.MULTILINE)
    assert row is not None
    return set(re.findall(r"`([^`]+)`", row[1]))


def test_families_of_the_page_are_those_of_the_code() -> None:
    text = asyncio.run(metrics.Metrics([("GET", "/me")]).exposition()).decode()
    exported = {}
    for family in text_string_to_metric_families(text):
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        exported[name] = (family.type, labels, family.documentation)
    documented = {
        name: (kind, set(re.findall(r"`(\w+)`", labels)), meaning)
        for name, kind, labels, meaning in ROW.findall(PAGE)
    }
    assert documented == exported


def test_values_of_labels_are_those_of_the_code() -> None:
    assert values("method") == metrics.METHODS | {metrics.OTHER}
    assert values("outcome") == set(metrics.OUTCOMES)
    assert values("state") == set(metrics.POOL_STATES)
    assert values("sqlstate_class") == metrics.SQLSTATE_CLASSES | {metrics.OTHER, metrics.POOL}
    assert metrics.UNMATCHED in values("route")
