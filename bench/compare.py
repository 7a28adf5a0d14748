"""
The product against what users would pick instead, in turns on one machine: `make bench`.

A pair is a run of the product and a run of a peer, one right after the other, and its ratio is that
pair's own: what else the machine does meets both. Which goes first changes from round to round.
Shown are medians. Writes bench/results/compare.json, which bench/report.py reads, and the plot.
"""

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Any

from rich.progress import Progress

from api.failure import Failure
from bench import load, plot, report
from bench.record import origin, save, show
from bench.report import RESULTS
from bench.stage import (
    ALL,
    OURS,
    PEER_LIST,
    RATED,
    SETTINGS,
    Peer,
    Running,
    memory_bytes,
    serving,
    stage,
)

WARM_UP_SECONDS = 1
LOGIN_SECONDS = 5  # some ten of them


def main() -> int:
    """Measure, write, print; exit status 1 with one line when something did not go as it must."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.strip().split("\n")[0])
    parser.add_argument("--seconds", type=int, default=3, help="length of a run (3)")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of each kind (5)")
    parser.add_argument(
        "--peers",
        type=_peers,
        default=PEER_LIST,
        help=f"some of {','.join(peer.name for peer in PEER_LIST)} (all)",
    )
    parser.add_argument("--note", default="", help="what a reader of the figures should know")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder (bench/results)")
    options = parser.parse_args()
    if options.output == RESULTS and len(options.peers) < len(PEER_LIST):
        parser.error("bench/results has all peers, and the documents their figures: say --output")
    try:
        load.find_wrk()
        result = _measure(options.seconds, options.rounds, options.peers) | {"note": options.note}
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    file = save(result, options.output, "compare")
    plot.draw(result, file.with_suffix(".svg"))
    show(report.tables(result))
    print(f"written: {file}, {file.with_suffix('.svg')}")
    return 0


def _peers(text: str) -> list[Peer]:
    """The peers of these names. Errors: argparse's own, for a name that is none."""
    names = text.split(",")
    if unknown := set(names) - {peer.name for peer in PEER_LIST}:
        raise argparse.ArgumentTypeError(f"no peer {', '.join(sorted(unknown))}")
    return [ALL[name] for name in names]


def _measure(seconds: int, rounds: int, peers: list[Peer]) -> dict[str, Any]:
    """All rounds; what it returns is the file's content."""
    pairs: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(stage())
        running: dict[str, Running] = {}
        lengths: dict[str, dict[str, int]] = {}
        memory: dict[str, int] = {}
        for peer in (OURS, *peers):
            if peer.command:
                body = load.ask(made, running["ours"], "read")[1].decode() if running else ""
                server = stack.enter_context(serving(made, peer, BENCH_BODY=body))
                running[peer.name] = server
                lengths[peer.name] = load.check(made, server)
                memory[peer.name] = memory_bytes(server.process)
        plan = [
            (endpoint, peer, theirs)
            for endpoint in (*RATED, "login")
            for peer in peers
            if (theirs := _counterpart(endpoint, peer))
        ]
        progress = stack.enter_context(Progress())
        task = progress.add_task("", total=(rounds + 1) * len(plan))
        for number in range(rounds + 1):  # the first of them warms up
            for endpoint, peer, theirs in plan:
                length = seconds if number else WARM_UP_SECONDS
                if endpoint == "login":
                    length = max(length, LOGIN_SECONDS)
                progress.update(task, description=f"{endpoint}, {peer.name}")
                order = [(OURS, endpoint), (peer, theirs)]
                records = {
                    each.name: load.run(
                        made,
                        each,
                        running.get(each.name),
                        asked,
                        length,
                        lengths.get(each.name, {}).get(asked),
                    ).record()
                    for each, asked in (order if number % 2 else reversed(order))
                }
                if number:
                    pair = {"round": number, "endpoint": endpoint, "peer": peer.name}
                    ours, their_run = records["ours"], records[peer.name]
                    pairs.append({**pair, "ours": ours, "theirs": their_run})
                progress.advance(task)
    return origin("bench", f"--seconds {seconds} --rounds {rounds}") | {
        "settings": SETTINGS | {"connections": load.CONNECTIONS, "seconds": seconds},
        "memory_bytes_at_rest": memory,
        "titles": {each.name: each.title for each in (OURS, *peers)},
        "pairs": pairs,
    }


def _counterpart(endpoint: str, peer: Peer) -> str | None:
    """What a peer is asked beside the product's endpoint; a peer without keys, a plain create."""
    if endpoint in peer.endpoints:
        return endpoint
    if endpoint == "create_idempotent" and "create" in peer.endpoints:
        return "create"
    return None


if __name__ == "__main__":
    sys.exit(main())
