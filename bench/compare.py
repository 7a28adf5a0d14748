"""
The product against what users would pick instead, in turns on one machine: `make bench`.

A pair is a run of the product and a run of a peer, one right after the other, and its ratio is that
pair's own: what else the machine does meets both. Which goes first changes from round to round.
Shown are medians. Writes bench/results/compare.json, which bench/report.py reads, and the plot.
"""

import argparse
import contextlib
import sys
from typing import Any

from rich.progress import Progress

from api.failure import Failure
from bench import load, plot, record, report
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
    """Measure, write, print; the exit status."""
    parser = record.command(
        "bench", seconds=(3, "length of a run"), rounds=(5, "pairs of each kind")
    )
    parser.add_argument(
        "--peers",
        type=_peers,
        default=PEER_LIST,
        help=f"some of {','.join(peer.name for peer in PEER_LIST)} (all)",
    )
    return record.run(parser, "compare", _measure, report.tables, draw=plot.draw)


def _peers(text: str) -> list[Peer]:
    """The peers of these names. Errors: argparse's own, for a name that is none."""
    names = text.split(",")
    if unknown := set(names) - {peer.name for peer in PEER_LIST}:
        raise argparse.ArgumentTypeError(f"no peer {', '.join(sorted(unknown))}")
    return [ALL[name] for name in names]


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    """All rounds; what it returns is the file's content."""
    seconds, rounds, peers = options.seconds, options.rounds, options.peers
    if options.output == RESULTS and len(peers) < len(PEER_LIST):
        raise Failure("bench/results has all peers, and the documents their figures: say --output")
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
    return {
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
