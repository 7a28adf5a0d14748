"""A scrape of the API as it is, and Prometheus' own programs where they are installed."""

import asyncio
import os
import shutil
from collections.abc import Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.metrics import Metrics
from api.routes import routes
from api.settings import Settings


def find(program: str) -> str:
    """Where a program of Prometheus is: $PROMTOOL, $PROMETHEUS, or on PATH; skips without it."""
    found = os.environ.get(program.upper()) or shutil.which(program)
    if not found:
        pytest.skip(f"{program} is not here: install Debian's package prometheus, which has it")
    return found


@pytest.fixture(scope="session")
def promtool() -> str:
    """The program that checks rules and runs their tests."""
    return find("promtool")


@pytest.fixture(scope="session")
def prometheus() -> str:
    """The server."""
    return find("prometheus")


@pytest.fixture(scope="session")
def samples() -> Mapping[str, Mapping[str, set[str]]]:
    """What /metrics has before any request: by sample's name the values of each label."""
    endpoints = [(route.method, route.path) for route in routes(Settings())]
    found: dict[str, dict[str, set[str]]] = {}
    text = asyncio.run(Metrics(endpoints).exposition()).decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found
