"""The figures on docs/explanation/performance.md are those of bench/results."""

import json
import re
from pathlib import Path

import pytest

from bench import report


def test_tables_of_the_page_are_those_of_the_results() -> None:
    text = report.PAGE.read_text()
    assert report.page(text) == text, "run make docs"


def test_table_that_was_touched_is_noticed() -> None:
    text = report.PAGE.read_text()
    touched = re.sub(r"(<!-- targets -->.*?)\d", r"\g<1>x", text, count=1, flags=re.DOTALL)
    assert touched != text
    assert report.page(touched) == text


@pytest.mark.parametrize("name", report.PARTS)
def test_results_name_the_machine_and_the_command(root: Path, name: str) -> None:
    result = json.loads((root / "bench" / "results" / f"{name}.json").read_text())
    assert result["command"].startswith("make bench")
    assert {"cpu", "cores", "memory_gib", "system", "versions"} <= result["machine"].keys()
    assert "dirty" not in result["machine"]["versions"]["saas-api"], "of a commit, to be looked up"


def test_ratio_is_of_pairs_and_not_of_medians() -> None:
    """A slow pair is slow on both sides: its ratio is as good as any."""

    def run(rate: float) -> dict[str, float]:
        return {"requests": rate, "seconds": 1}

    result = {
        "pairs": [
            {"endpoint": "read", "peer": "fastapi", "ours": run(ours), "theirs": run(theirs)}
            for ours, theirs in ((1000, 100), (10, 1), (500, 25))
        ]
    }
    assert report.ratios(result, "read", "fastapi") == [10, 10, 20]
    assert report.median_rate(result, "read", "ours") == 500
    assert report.median_rate(result, "read", "fastapi") == 25
    assert report.median_rate(result, "read", "textbook") is None
