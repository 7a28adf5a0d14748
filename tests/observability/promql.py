"""What a PromQL expression of ours names: enough of the grammar for rules and dashboards."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "observability"
RULES = FOLDER / "prometheus" / "rules"
DASHBOARDS = FOLDER / "grafana" / "dashboards"
SELECTOR = re.compile(
    r"([a-zA-Z_:][a-zA-Z0-9_:]*saas_api_[a-z_]+(?::\w+)*|saas_api_\w+)(?:\{([^}]*)\})?"
)
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric's name as it is sampled or recorded, and its matchers by label."""

    name: str
    matchers: Mapping[str, tuple[str, str]]


def selectors(expression: str) -> list[Selector]:
    """Every selector of a metric of ours."""
    return [
        Selector(name, {k: (op, value) for k, op, value in MATCHER.findall(inside)})
        for name, inside in SELECTOR.findall(expression)
    ]


def grouped_by(expression: str) -> set[str]:
    """Every label that an aggregation names."""
    return {label.strip() for group in GROUPING.findall(expression) for label in group.split(",")}


def rules(name: str) -> Iterator[dict[str, Any]]:
    """The rules of a file."""
    for group in yaml.safe_load((RULES / name).read_text())["groups"]:
        yield from group["rules"]
