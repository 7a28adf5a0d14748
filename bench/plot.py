"""The results as pictures: requests a second of each peer, latency by size of the data set."""

import statistics
from pathlib import Path
from typing import Any

from bench.report import ENDPOINTS, GROWTH, median_rate

COLOURS = {"ours": "#0b6e4f", "pgbench": "#c9c9c9", "constant": "#c9c9c9"}


def _pyplot() -> Any:
    """Imported when it is needed: the tests of the bench do without the bench's own packages."""
    import matplotlib
    from matplotlib import pyplot

    matplotlib.use("svg")
    pyplot.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "bench", "font.size": 9})
    return pyplot


def draw(result: dict[str, Any], file: Path) -> None:
    """Write the picture as SVG; its text stays text."""
    pyplot = _pyplot()
    endpoints = [name for name in ENDPOINTS if name != "login"]
    figure, axes = pyplot.subplots(3, 2, figsize=(9, 8), layout="constrained")
    for endpoint, axis in zip(endpoints, axes.flat, strict=True):
        rates = {
            peer: value
            for peer in reversed(result["titles"])
            if (value := median_rate(result, endpoint, peer)) is not None
        }
        names = [result["titles"][peer] for peer in rates]
        colours = [COLOURS.get(peer, "#7a9cc6") for peer in rates]
        bars = axis.barh(names, list(rates.values()), color=colours)
        axis.bar_label(bars, [f"{value:,.0f}" for value in rates.values()], padding=3)
        axis.set_title(ENDPOINTS[endpoint], loc="left", fontweight="bold")
        axis.set_xlim(0, 1.18 * max(rates.values()))
        axis.xaxis.set_visible(False)
        axis.spines[["top", "right", "bottom"]].set_visible(False)
        axis.tick_params(axis="y", length=0)
    cores, cpu = result["machine"]["cores"], result["machine"]["cpu"]
    figure.suptitle(f"Requests a second, 8 connections, one process each; {cores} cores of {cpu}")
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


def draw_growth(result: dict[str, Any], file: Path) -> None:
    """Write latency by size of the data set as SVG, the typical tenant's beside the large one's."""
    pyplot = _pyplot()
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 7), layout="constrained", sharey=True)
    for (size, endpoints), axis in zip(result["batches"].items(), axes, strict=True):
        for number, (endpoint, sets) in enumerate(endpoints.items()):
            found = {int(name): statistics.median(batches) for name, batches in sets.items()}
            style = {"marker": "os^"[number // 10], "linestyle": ("-", "--", ":")[number // 10]}
            axis.plot(*zip(*found.items(), strict=True), **style, label=GROWTH[endpoint])
        axis.set_title(f"{size} tenant", loc="left", fontweight="bold")
        axis.set(xscale="log", yscale="log", xlabel="projects")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("milliseconds a request")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right", frameon=False)
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
