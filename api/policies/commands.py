"""
The commands `saas-api policies ...`.

Each adds its parser to the group and names the function that runs it, which returns the exit
status. What was asked for goes to stdout, progress to stderr.
"""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from api import files
from api.failure import Failure, Say
from api.policies import databases, diff, matrix, matrix_page, mutate, suite


def add(commands: Any, *, role_url: Callable[[str], str], say: Say) -> None:
    """
    Add the group `policies` to the subcommands of `saas-api`.

    `role_url` is how the configuration leads to a role, `say` where progress is told.
    """
    group = commands.add_parser("policies", help="test, prove and compare the policies")
    parsers = group.add_subparsers(required=True, metavar="COMMAND")

    command = parsers.add_parser("test", help="run the shipped pgTAP suite, or files of your own")
    command.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="files and folders; default: the suite"
    )
    command.add_argument(
        "--url", help="a superuser's, for the database to test; default: a scratch database"
    )
    command.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML there")
    command.set_defaults(command=_test)

    command = parsers.add_parser(
        "mutate", help="weaken one rule at a time, and see that a test fails"
    )
    command.add_argument("--only", default="", metavar="TEXT", help="mutants with it in their name")
    command.add_argument("--list", action="store_true", help="print the mutants, try none")
    command.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="default: the cores")
    command.add_argument("--json", type=Path, metavar="FILE", help="write each verdict there")
    _add_server(command)
    command.set_defaults(command=_mutate)

    command = parsers.add_parser("matrix", help="prove the access matrix, and draw it")
    command.add_argument("--html", type=Path, metavar="FILE", help="write it as one page")
    command.add_argument(
        "--found", action="store_true", help="print what was found, in the form of matrix.csv"
    )
    _add_server(command)
    command.set_defaults(command=_matrix)

    command = parsers.add_parser(
        "diff",
        help="compare a live database with the files; print SQL that would mend it",
        description="Exit status: 0 without a difference, 1 with any; SQL on stdout, not executed.",
    )
    command.add_argument(
        "--url", help="of saas_migrator or a superuser; default: as migrate has it"
    )
    command.set_defaults(command=partial(_diff, role_url=role_url, say=say))


def _add_server(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--admin-url",
        metavar="URL",
        help="a superuser's, for a server to make scratch databases on; default: an own one",
    )


def _test(options: argparse.Namespace) -> int:
    paths = suite.find(options.paths)
    with contextlib.ExitStack() as stack:
        if options.url:
            url, first = options.url, suite.prelude(options.url)
        else:
            directory = stack.enter_context(databases.scratch())
            server = databases.start(directory)
            databases.ensure_pgtap(directory, server)
            url, first = databases.copy(server, databases.PGTAP).admin_url, ""
        outcomes = []
        for outcome in suite.run(paths, url, first):
            outcomes.append(outcome)
            for line in suite.line(outcome):
                print(line, flush=True)
    if options.junit:
        options.junit.write_bytes(suite.junit(outcomes))
    print(suite.total(outcomes))
    return int(not all(outcome.is_ok for outcome in outcomes))


def _matrix(options: argparse.Namespace) -> int:
    with databases.scratch(options.admin_url) as directory:
        found = matrix.run(directory, given=options.admin_url)
    if options.html:
        options.html.write_text(matrix_page.html(found))
    if options.found:
        print(matrix.as_csv(found), end="")
    elif not options.html:
        Console().print(matrix_page.terminal(found))
    for fault in found.faults:
        print(fault, file=sys.stderr)
    return int(bool(found.faults))


def _mutate(options: argparse.Namespace) -> int:
    if options.jobs < 1:
        raise Failure("--jobs must be 1 or more")
    ignored = mutate.read_ignored(files.tree().policies / "mutants.toml")
    with databases.scratch(options.admin_url) as directory, _progress() as progress:
        if options.list:
            for mutant in mutate.find(directory, given=options.admin_url, only=options.only):
                print(f"{mutant.name}  ({mutant.path})")
            return 0
        bar = progress.add_task("mutants", total=None)
        verdicts = mutate.run(
            directory,
            given=options.admin_url,
            jobs=options.jobs,
            only=options.only,
            equivalent=ignored,
            count=lambda total: progress.update(bar, total=total),
            tell=lambda _verdict: progress.advance(bar),
        )
    report = mutate.Report.of(verdicts, ignored, whole=not options.only)
    if options.json:
        options.json.write_text(json.dumps(mutate.as_json(verdicts), indent=1) + "\n")
    for line in report.lines():
        print(line)
    return int(not report.good)


def _diff(options: argparse.Namespace, *, role_url: Callable[[str], str], say: Say) -> int:
    found = diff.differences(options.url or role_url("saas_migrator"), say=say)
    for line in diff.script(found) if found else ["no difference"]:
        print(line)
    if found:
        say(f"{len(found)} differences")
    return int(bool(found))


def _progress() -> Progress:
    """A bar on stderr, for a person; nothing where nobody looks."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
