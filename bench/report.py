"""
The figures of bench/results as tables: for the terminal, and for docs/explanation/performance.md.

    .venv/bin/python -m bench.report            write the page's tables anew
    .venv/bin/python -m bench.report --check    exit status 1 if they are not those of the results

Needs nothing but the results, so that a test holds the page against them.
"""

import json
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "explanation" / "performance.md"

ENDPOINTS = {
    "read": "read one",
    "list": "list 50",
    "filter": "list 50, filtered and sorted",
    "create": "create",
    "create_idempotent": "create with a key (peers without)",
    "mix": "95 % read, 5 % create",
    "login": "log in",
}
# What issue and page ask for: at least so many times a peer's rate.
TARGETS = {
    ("read", "fastapi"): 12,
    ("read", "postgraphile"): 2.5,
    ("read", "textbook"): 2,
    ("read", "pgbench"): 0.35,
    ("list", "fastapi"): 14,
    ("list", "postgraphile"): 3.5,
    ("list", "textbook"): 1.7,
    ("create", "fastapi"): 8,
    ("create", "postgraphile"): 2,
    ("create", "textbook"): 1.7,
}
GROWTH = {
    "read": "read one",
    "list": "list 50, first page",
    "deep": "list 50, deep page",
    "deep_oldest": "… oldest first",
    "deep_updated": "… by change, newest first",
    "deep_name": "… by name, descending",
    "status": "list 50, filtered by status",
    "name": "list 50, searched by name",
    "create": "create",
    "create_idempotent": "create with a key",
    "update": "update",
    "delete": "delete",
    "organisations": "organisations",
    "organisation": "organisation, read",
    "create_organisation": "organisation, create",
    "rename_organisation": "organisation, rename",
    "members": "members, first page",
    "add_member": "member, add",
    "change_member": "member, change",
    "remove_member": "member, remove",
    "api_keys": "API keys, first page",
    "create_api_key": "API key, create",
    "revoke_api_key": "API key, revoke",
    "audit": "audit events, first page",
    "audit_deep": "audit events, deep page",
    "audit_action": "audit events of one action",
    "me": "me",
    "register": "register",
    "login": "log in",
}
GROWN = 1.3  # the largest data set's latency is at most so many times the smallest's
SCALED = 1.6  # two workers serve at least so many times what one does
AUDITED = 2  # a change of many rows takes less than so many times what it takes without audit
ISOLATION = 0.2  # row-level security and seal add less than that to the time of a request
OUTSIDE = "outside of functions: protocol, portal, commit"
NONE = "-"
TAIL = 3  # p99 is at most so many times p50

Table = tuple[str, list[str], list[list[str]]]  # title, header, rows


def tables(result: dict[str, Any]) -> Iterator[Table]:
    """The tables of a comparison."""
    yield "Requests a second, and how many times a peer's", *_rates(result)
    yield "Targets", *_targets(result)
    yield (
        "Cost of 1,000 requests in seconds of processor, and latency in milliseconds",
        *_costs(result),
    )
    yield "Memory of a worker at rest", *_memory(result)


def _pairs(result: dict[str, Any], endpoint: str, peer: str) -> list[dict[str, Any]]:
    return [
        pair for pair in result["pairs"] if pair["endpoint"] == endpoint and pair["peer"] == peer
    ]


def runs(result: dict[str, Any], endpoint: str, peer: str) -> list[dict[str, Any]]:
    """The runs of a peer, or all of the product's, at an endpoint."""
    if peer == "ours":
        return [pair["ours"] for pair in result["pairs"] if pair["endpoint"] == endpoint]
    return [pair["theirs"] for pair in _pairs(result, endpoint, peer)]


def rate(run: dict[str, Any]) -> float:
    """Requests a second."""
    per_second: float = run["requests"] / run["seconds"]
    return per_second


def median_rate(result: dict[str, Any], endpoint: str, peer: str) -> float | None:
    """Requests a second, the median of the runs; None where there were none."""
    rates = [rate(run) for run in runs(result, endpoint, peer)]
    return statistics.median(rates) if rates else None


def ratios(result: dict[str, Any], endpoint: str, peer: str) -> list[float]:
    """The product's rate over the peer's, pair by pair."""
    return sorted(
        rate(pair["ours"]) / rate(pair["theirs"]) for pair in _pairs(result, endpoint, peer)
    )


def _rates(result: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    titles = result["titles"]
    rows = []
    for endpoint, name in ENDPOINTS.items():
        row = [name]
        for peer in titles:
            median = median_rate(result, endpoint, peer)
            if median is None:
                row.append(NONE)
            elif peer == "ours" or endpoint == "login":
                row.append(_number(median))
            else:
                row.append(f"{_number(median)} ({_ratio(ratios(result, endpoint, peer))})")
        rows.append(row)
    return ["", *titles.values()], rows


def _targets(result: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    rows = []
    for (endpoint, peer), target in TARGETS.items():
        if found := ratios(result, endpoint, peer):
            median = statistics.median(found)
            what = f"{ENDPOINTS[endpoint]}, {result['titles'][peer]}"
            spread = f"{_times(found[0])} to {_times(found[-1])}"
            verdict = "met" if median >= target else "missed"
            rows.append([what, _times(target), _times(median), spread, verdict])
    for endpoint in ENDPOINTS:
        tails = [
            run["p99_ms"] / run["p50_ms"] for run in runs(result, endpoint, "ours") if run["p99_ms"]
        ]
        if tails and endpoint != "login":
            median = statistics.median(tails)
            spread = f"{_times(min(tails))} to {_times(max(tails))}"
            verdict = "met" if median <= TAIL else "missed"
            what = f"{ENDPOINTS[endpoint]}, p99 over p50"
            rows.append([what, f"at most {_times(TAIL)}", _times(median), spread, verdict])
    return ["", "target", "median", "from pair to pair", ""], rows


def _costs(result: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    rows = []
    for endpoint, name in ENDPOINTS.items():
        for peer, title in result["titles"].items():
            found = runs(result, endpoint, peer)
            if not found or (endpoint == "create_idempotent" and peer not in ("ours", "pgbench")):
                continue
            cost = [
                f"{statistics.median(run[key] / run['requests'] * 1000 for run in found):.3f}"
                for key in ("api_cpu_seconds", "database_cpu_seconds")
            ]
            latency = [NONE, NONE]
            if found[0]["p50_ms"]:
                latency = [
                    f"{statistics.median(run[key] for run in found):.1f}"
                    for key in ("p50_ms", "p99_ms")
                ]
            rows.append([name, title, *cost, *latency])
    return ["", "", "API", "PostgreSQL", "p50", "p99"], rows


def _memory(result: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    rows = [
        [result["titles"][peer], f"{size / 2**20:.0f} MiB"]
        for peer, size in result["memory_bytes_at_rest"].items()
    ]
    return ["", "RSS"], rows


def profile_tables(result: dict[str, Any]) -> Iterator[Table]:
    """The tables of a profile."""
    endpoints = list(result["python"])
    header = ["", *(ENDPOINTS[endpoint] for endpoint in endpoints)]
    yield "Python", header, _stages([result["python"][each] for each in endpoints])
    found = []
    for endpoint in endpoints:
        measured = result["postgresql"][endpoint]
        stages = {f"`{name}`": each["self"] for name, each in measured["functions"].items()}
        stages[OUTSIDE] = max(0.0, measured["microseconds"] - sum(stages.values()))
        found.append({"microseconds": measured["microseconds"], "stages": stages})
    yield "PostgreSQL", header, _stages(found)
    rows = [
        [ENDPOINTS[endpoint], f"`{each['text'][:60]}…`", *_statement(each)]
        for endpoint in endpoints
        for each in result["postgresql"][endpoint]["statements"]
        if each["plan"] > 0.05 * result["postgresql"][endpoint]["microseconds"]
    ]
    none = ["none", *"----"]
    yield "Planned anew", ["", "statement", "plans", "planning", "execution"], rows or [none]


def _statement(each: dict[str, Any]) -> list[str]:
    return [f"{each['plans']:.2g}", f"{each['plan']:.0f}", f"{each['execute']:.0f}"]


def _stages(measured: list[dict[str, Any]]) -> list[list[str]]:
    """A row a stage, the dearest first, in microseconds with its share, and their sum."""
    names = {name for each in measured for name in each["stages"]}
    cost = {name: sum(each["stages"].get(name, 0) for each in measured) for name in names}
    order = sorted(names, key=lambda name: (-cost[name], name))
    rows = [["all", *(f"**{each['microseconds']:.0f}**" for each in measured)]]
    for name in order:
        cells = []
        for each in measured:
            value = each["stages"].get(name, 0)
            share = value / sum(each["stages"].values())
            cells.append(f"{value:.0f} ({share:.0%})" if share > 0.05 else f"{value:.0f}")
        rows.append([name, *cells])
    return rows


def soak_tables(result: dict[str, Any]) -> Iterator[Table]:
    """What a soak showed."""
    samples = result["samples"]
    steps = (0.1, 0.25, 0.5, 0.75, 1)
    last = samples[-1]["requests"]
    rows = [["at rest", f"{result['at_rest_bytes'] / 2**20:.1f} MiB", NONE]]
    for step in steps:
        sample = next(each for each in samples if each["requests"] >= step * last)
        sizes = (f"{sample[key] / 2**20:.1f} MiB" for key in ("worker_bytes", "backend_bytes"))
        rows.append([f"{sample['requests']:,}", *sizes])
    yield "Memory", ["after requests", "worker, RSS", "largest PostgreSQL process, private"], rows


def growth_tables(result: dict[str, Any]) -> Iterator[Table]:
    """The latency of a typical tenant's requests and of the large one's, by data set."""
    names = [each["name"] for each in result["sets"]]
    header = ["", *(f"{int(name):,} projects" for name in names)]
    rows = []
    for endpoint, sets in result["batches"]["typical"].items():
        grown = _between(sets, names[0], names[-1])
        verdict = "met" if grown <= GROWN else "missed"
        rows.append([GROWTH[endpoint], *_medians(sets, names), f"{grown:.2f}", verdict])
    header_typical = [*header, "last over first", f"at most {GROWN}"]
    yield "Milliseconds a request, typical tenant", header_typical, rows
    rows = []
    for endpoint, sets in result["batches"]["large"].items():
        typical = result["batches"]["typical"][endpoint]
        beside = statistics.median(sets[names[-1]]) / statistics.median(typical[names[-1]])
        grown = _between(sets, names[0], names[-1])
        verdict = "met" if grown <= GROWN else "missed"
        row = [*_medians(sets, names), f"{beside:.2f}", f"{grown:.2f}", verdict]
        rows.append([GROWTH[endpoint], *row])
    header = ["", *(f"{each['large']:,} of its own" for each in result["sets"]), "over typical"]
    yield "Milliseconds a request, large tenant", [*header, *header_typical[-2:]], rows


def _medians(sets: dict[str, list[float]], names: list[str]) -> list[str]:
    return [f"{statistics.median(sets[name]):.2f}" for name in names]


def _between(sets: dict[str, list[float]], first: str, last: str) -> float:
    """How many times the first's latency the last's is: the median of the rounds."""
    return statistics.median(b / a for a, b in zip(sets[first], sets[last], strict=True))


def isolation_tables(result: dict[str, Any]) -> Iterator[Table]:
    """What the policies and the seal add to the processor time of a request."""
    rows = []
    clients = {"pgbench": ("database",), "http": ("database", "api")}
    for client, parts in clients.items():
        for endpoint in dict.fromkeys(run["endpoint"] for run in result["runs"]):
            plain, unsealed, ours = (
                [
                    1e6 * sum(run[f"{part}_cpu_seconds"] for part in parts) / run["requests"]
                    for run in result["runs"]
                    if (run["client"], run["endpoint"]) == (client, endpoint)
                    and run["variant"] == variant
                ]
                for variant in ("trusting", "unsealed", "ours")
            )
            rounds = list(zip(plain, unsealed, ours, strict=True))
            policies = statistics.median((b - a) / a for a, b, _ in rounds)
            seal = statistics.median((c - b) / a for a, b, c in rounds)
            both = statistics.median((c - a) / a for a, _, c in rounds)
            where = "in PostgreSQL" if client == "pgbench" else "with the API"
            rows.append(
                [
                    f"{ENDPOINTS[endpoint]}, {where}",
                    *(f"{statistics.median(each):.0f}" for each in (plain, ours)),
                    *(f"{each:.0%}" for each in (policies, seal, both)),
                    "met" if both < ISOLATION else "missed",
                ]
            )
    header = ["", "without", "with", "policies", "seal", "both", f"under {ISOLATION:.0%}"]
    yield "What isolation adds to the microseconds of processor of a request", header, rows


def audit_ratios(result: dict[str, Any]) -> dict[str, float]:
    """By change, how many times its time without the audit it takes with it."""
    return {
        name: statistics.median(seconds["audited"]) / statistics.median(seconds["without"])
        for name, seconds in result["seconds"].items()
    }


def audit_tables(result: dict[str, Any]) -> Iterator[Table]:
    """What a change of many rows takes with its audit and without."""
    rows = []
    for name, ratio in audit_ratios(result).items():
        seconds = result["seconds"][name]
        medians = (
            f"{statistics.median(seconds[each]) * 1000:.0f}" for each in ("without", "audited")
        )
        rows.append([name, *medians, f"{ratio:.2f}", "met" if ratio < AUDITED else "missed"])
    header = ["", "without audit", "with it", "ratio", f"under {AUDITED}"]
    yield f"Milliseconds of one change of {result['rows']:,} rows", header, rows


def workers_tables(result: dict[str, Any]) -> Iterator[Table]:
    """Requests a second by one worker and by two, and from round to round the ratio."""
    one, two = (
        [
            run["requests"] / run["seconds"]
            for run in sorted(result["runs"], key=lambda run: int(run["round"]))
            if run["workers"] == count
        ]
        for count in (1, 2)
    )
    ratios = [b / a for a, b in zip(one, two, strict=True)]
    scaled = statistics.median(ratios)
    row = [
        *(_number(statistics.median(each)) for each in (one, two)),
        f"{scaled:.2f}",
        f"{min(ratios):.2f} to {max(ratios):.2f}",
        "met" if scaled >= SCALED else "missed",
    ]
    header = ["", "1 worker", "2 workers", "ratio", "from round to round", f"at least {SCALED}"]
    yield "Requests a second, workers slowed", header, [["read one", *row]]


# By result: its tables, and their places on the page. The first says where its figures come from.
PARTS: dict[str, tuple[Callable[[dict[str, Any]], Iterable[Table]], tuple[str, ...]]] = {
    "compare": (tables, ("rates", "targets", "costs", "memory")),
    "profile": (profile_tables, ("python", "postgresql", "plans")),
    "isolation": (isolation_tables, ("isolation",)),
    "audit": (audit_tables, ("audit",)),
    "growth": (growth_tables, ("growth", "large")),
    "workers": (workers_tables, ("workers",)),
    "soak": (soak_tables, ("soak",)),
}


def blocks() -> dict[str, str]:
    """The page's generated parts, by the name in their markers."""
    found = {}
    for name, (tables_of, places) in PARTS.items():
        result = json.loads((RESULTS / f"{name}.json").read_text())
        for place, (_, header, rows) in zip(places, tables_of(result), strict=True):
            origin = f"{_origin(result)}\n\n" if place == places[0] else ""
            found[place] = origin + markdown(header, rows)
    return found


def _origin(result: dict[str, Any]) -> str:
    """Where figures come from, in a sentence or two."""
    machine = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    others = ""
    if pairs := result.get("pairs"):
        share = statistics.median(
            run["others_cpu_seconds"] / run["seconds"] / machine["cores"]
            for pair in pairs
            for run in (pair["ours"], pair["theirs"])
        )
        others = f" Other processes had {share:.0%} of its processor time (median)."
    note = f" {result['note']}" if result.get("note") else ""
    return (
        f"`{result['command']}` on {result['made'][:10]}: {machine['cores']} cores of "
        f"{machine['cpu']}, {machine['memory_gib']} GiB, {machine['system']}.{others}{note} "
        f"Versions: {versions}."
    )


def page(text: str) -> str:
    """The page's text with its generated parts as the results have them."""
    for name, block in blocks().items():
        start, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
        before, rest = text.split(start)
        text = before + start + block + end + f"\n{rest}".split(end, 1)[1]
    return text


def main() -> int:
    """Write the page, or compare."""
    text = PAGE.read_text()
    wanted = page(text)
    if "--check" in sys.argv[1:]:
        print("as measured" if text == wanted else f"{PAGE.name}: run make docs")
        return int(text != wanted)
    PAGE.write_text(wanted)
    return 0


def _number(value: float) -> str:
    """Three significant digits."""
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 10 else f"{value:.2g}"


def _times(value: float) -> str:
    return f"{value:.1f}" if value >= 1 and value != int(value) else f"{value:.2g}"


def _ratio(found: list[float]) -> str:
    return f"{_times(statistics.median(found))} x"


def markdown(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; all columns but the first are to the right."""
    header = list(header)
    lines = [header, ["---", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
