#!/usr/bin/env python3
"""
Terms that must not be public are in no tracked file and in no file's name.

SAAS_API_FORBIDDEN_TERMS_FILE names a file outside the repository, one term a line, compared without
regard to case. A term itself is never printed: a find is file:line and the term's number. Without
the variable there is nothing to look for, which is said and is no failure.

Exit status: 0 for none found, 1 for some, 2 when the terms cannot be read.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "SAAS_API_FORBIDDEN_TERMS_FILE"


def read_terms(path: Path) -> dict[int, bytes]:
    """The terms by the number of their line, lower case."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {n: line.strip().lower().encode() for n, line in enumerate(lines, 1) if line.strip()}


def tracked(root: Path) -> list[str]:
    """The files that git knows, relative to `root`."""
    command = ["git", "-C", str(root), "ls-files", "-z"]
    listed = subprocess.run(command, capture_output=True, check=True).stdout
    return [os.fsdecode(name) for name in listed.split(b"\0") if name]


def find(root: Path, terms: dict[int, bytes]) -> Iterator[str]:
    """One line a find, without the term and without the text around it."""
    for name in tracked(root):
        lowered = name.lower().encode(errors="surrogateescape")
        for number, term in terms.items():
            if term in lowered:
                yield f"the name of a file in {shown(name, terms)}: term {number}"
        path = root / name
        if path.is_symlink():
            content = os.fsencode(path.readlink())
        elif path.is_file():
            content = path.read_bytes()
        else:  # removed, but not yet from git; or a submodule
            continue
        # Upper and lower case beyond ASCII, where the file is text.
        text = content.decode(errors="surrogateescape").lower().encode(errors="surrogateescape")
        for number, term in terms.items():
            if term in text:
                for line, part in enumerate(text.split(b"\n"), 1):
                    if term in part:
                        yield f"{shown(name, terms)}:{line}: term {number}"


def shown(name: str, terms: dict[int, bytes]) -> str:
    """The name, up to the first part that holds a term."""
    parts = []
    for part in Path(name).parts:
        if any(term in part.lower().encode(errors="surrogateescape") for term in terms.values()):
            parts.append("[...]")
            break
        parts.append(part)
    return "/".join(parts)


def main(root: Path) -> int:
    """Print the finds."""
    given = os.environ.get(VARIABLE)
    if not given:
        print(f"{VARIABLE} is not set: no terms to look for")
        return 0
    try:
        terms = read_terms(Path(given))
    except (OSError, UnicodeDecodeError) as error:
        print(f"{VARIABLE}: {type(error).__name__}: its file cannot be read", file=sys.stderr)
        return 2
    found = list(find(root, terms))
    print("\n".join(found) if found else f"none of {len(terms)} terms in any tracked file")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[2]))
