"""
The commands `saas-api policies ...`.

Each adds its parser to the group and names the function that runs it, which returns the exit
status.
"""

from typing import Any


def add(commands: Any) -> None:
    """Add the group `policies` to the subcommands of `saas-api`."""
    group = commands.add_parser("policies", help="test, prove and compare the policies")
    parsers = group.add_subparsers(required=True, metavar="COMMAND")
    _ = parsers
