"""The Grafana dashboards: well-formed, and every query about a metric that is exported."""

import json
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.observability import promql
from tests.observability.test_rules import Samples, check

PROVISIONING = promql.FOLDER / "grafana" / "provisioning"
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in promql.DASHBOARDS.glob("*.json")}
TYPES = {"row", "stat", "timeseries"}
WIDTH = 24


def panels() -> list[tuple[str, dict[str, Any]]]:
    """Every panel that queries, with its dashboard's name."""
    return [
        (name, panel)
        for name, dashboard in DASHBOARDS.items()
        for panel in dashboard["panels"]
        if panel["type"] != "row"
    ]


def test_datasource_is_the_one_provisioned() -> None:
    provisioned = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yml").read_text())
    (source,) = provisioned["datasources"]
    for name, panel in panels():
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        for given in sources:
            assert given == {"type": source["type"], "uid": source["uid"]}, (name, panel["title"])


def test_dashboards_are_named_after_their_files() -> None:
    assert DASHBOARDS
    for name, dashboard in DASHBOARDS.items():
        assert dashboard["uid"] == name
        assert dashboard.get("id") is None  # Grafana's own to give


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_have_ids_places_and_titles_of_their_own(name: str) -> None:
    found = DASHBOARDS[name]["panels"]
    assert len({panel["id"] for panel in found}) == len(found)
    assert len({panel["title"] for panel in found}) == len(found)
    taken: set[tuple[int, int]] = set()
    for panel in found:
        assert panel["type"] in TYPES
        place = panel["gridPos"]
        assert place["w"] > 0
        assert place["h"] > 0
        assert 0 <= place["x"] <= WIDTH - place["w"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize(("name", "panel"), panels(), ids=lambda value: str(value)[:20])
def test_panel_queries_what_the_api_exports(
    name: str, panel: dict[str, Any], samples: Samples
) -> None:
    assert panel["description"]
    assert panel["fieldConfig"]["defaults"]["unit"]
    references = [target["refId"] for target in panel["targets"]]
    assert references
    assert len(set(references)) == len(references)
    for target in panel["targets"]:
        check(target["expr"], samples)


def test_every_family_is_on_a_dashboard(samples: Samples) -> None:
    text = " ".join(
        target["expr"] for _, panel in panels() for target in panel["targets"]
    ) + " ".join(rule["expr"] for rule in promql.rules("recording.yml"))
    names = {selector.name for selector in promql.selectors(text)}
    missing = {
        name
        for name in samples
        if name not in names and not name.endswith(("_sum", "_count", "_bucket"))
    }
    assert missing == set()
