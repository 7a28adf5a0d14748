#!/usr/bin/env python3
"""
Whether requirements/*.txt hold all that pyproject.toml asks for, in versions it allows.

Needs no network: it reads both, and names what is missing or outgrown. Whether a lock holds nothing
else is what resolving again shows (`make lock`). Exit status: 0 or 1.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", re.MULTILINE)
LOCKS = {"runtime.txt": ("docs",), "dev.txt": ("docs", "dev")}


def faults(root: Path) -> Iterator[str]:
    """One line for each requirement that a lock does not meet."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    for name, extras in LOCKS.items():
        text = (root / "requirements" / name).read_text()
        pins: dict[str, set[str]] = {}
        for package, version in PIN.findall(text):
            pins.setdefault(canonicalize_name(package), set()).add(version)
        asked = [*project["dependencies"]]
        for extra in extras:
            asked += project["optional-dependencies"][extra]
        for requirement in map(Requirement, asked):
            locked = pins.get(canonicalize_name(requirement.name))
            if locked is None:
                yield f"requirements/{name} lacks {requirement.name}: run make lock"
            elif not any(map(requirement.specifier.contains, locked)):
                versions = ", ".join(sorted(locked))
                yield (
                    f"requirements/{name} has {requirement.name} {versions}, pyproject.toml asks "
                    f"for {requirement.specifier}: run make lock"
                )


def main(root: Path) -> int:
    """Print the faults."""
    found = list(faults(root))
    for fault in found:
        print(fault)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if sys.argv[1:] else Path(__file__).resolve().parents[1])))
