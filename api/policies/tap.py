"""
Run a pgTAP file, and judge what it says.

By psql, as pg_prove does, in a database that has pgTAP and tests/sql/helpers.sql, or is given them
by a prelude: SQL that is run first, in the transaction of the file.
"""

import re
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from api import embedded, urls

WHOLE = re.compile(r"(?:\s|--[^\n]*\n)*(?P<begin>begin[^;]*);(?P<body>.*)\brollback;\s*", re.DOTALL)
# What is no statement: strings, quoted names, comments.
QUOTED = re.compile(
    r"\be'(?:[^'\\]|\\.)*'|'[^']*'|\"[^\"]*\"|(?P<tag>\$\w*\$).*?(?P=tag)|--[^\n]*|/\*.*?\*/",
    re.DOTALL | re.IGNORECASE,
)
# `end` is not among them, since bodies of functions have it; KEEPER sees to that.
LEAVES = re.compile(
    r"(?:\A|;)\s*(commit|begin|start\s+transaction|prepare\s+transaction|abort|rollback(?!\s+to\b))\b"
    r"|(\\\S+)",  # a command of psql's
    re.IGNORECASE,
)
# A transaction that would be committed fails, by whatever words.
KEEPER = """
create function pg_temp.keep_nothing() returns trigger language plpgsql as $$
begin
    raise exception 'a pgTAP file keeps nothing: it ends with rollback;';
end
$$;
create temp table keep_nothing (is_kept boolean);
create constraint trigger keep_nothing after insert on pg_temp.keep_nothing
deferrable initially deferred for each row execute function pg_temp.keep_nothing();
insert into pg_temp.keep_nothing values (true);
"""


class TapFailure(Exception):
    """A file's complaints, as they are to be shown."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One test of a file: what it says, `TODO why` or `SKIP why`, and the diagnostics after it."""

    text: str
    is_ok: bool
    directive: str = ""
    diagnostics: tuple[str, ...] = ()

    @property
    def fails(self) -> bool:
        """Whether it is a reason to complain: what is to do may fail."""
        return not self.is_ok and not self.directive.startswith("TODO")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a file said, what is wrong with it beside failing sentences, and seconds."""

    path: Path
    sentences: tuple[Sentence, ...]
    complaints: tuple[str, ...]
    seconds: float = 0.0

    @property
    def is_ok(self) -> bool:
        """Whether all that was planned came out ok."""
        return not self.complaints and not any(each.fails for each in self.sentences)


def run_file(path: Path, url: str) -> None:
    """Run a file by psql. Errors: TapFailure unless all it planned to test came out ok."""
    if complaints := lines(run(path, url)):
        raise TapFailure("\n".join([f"{path.name}:", *complaints]))


def run(path: Path, url: str, prelude: str = "") -> Outcome:
    """Run a file by psql; one that could leave something behind is not run."""
    whole = WHOLE.fullmatch(path.read_text())
    if whole is None:
        return Outcome(path, (), (f"{path.name} must begin with begin; and end with rollback;",))
    if left := LEAVES.search(QUOTED.sub(" ", whole["body"])):
        word = " ".join((left[1] or left[2]).split()).lower()
        return Outcome(path, (), (f"{path.name} is one transaction of plain SQL: no {word} in it",))
    quiet = urls.replace(url, options="-c client_min_messages=error")
    began = time.monotonic()
    with tempfile.NamedTemporaryFile("w", prefix="saas-api-", suffix=".sql") as first:
        # The file's own begin has nothing left to do.
        first.write(f"{whole['begin']};\n{KEEPER}{prelude}")
        first.flush()
        result = subprocess.run(
            [
                *(embedded.program("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1"),
                *("-f", first.name, "-f", path, quiet),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    sentences, complaints = judge(result.stdout, result.stderr, result.returncode)
    return Outcome(path, sentences, complaints, time.monotonic() - began)


def judge(output: str, errors: str, status: int) -> tuple[tuple[Sentence, ...], tuple[str, ...]]:
    """A run's sentences, and what is wrong with its TAP beside those that fail."""
    sentences: list[Sentence] = []
    wrong: list[str] = []
    plans = []
    follows = False
    for line in output.splitlines():
        if test := re.match(
            r"(not )?ok\b *\d*(?: - )?(.*?)(?: *# *((?:TODO|SKIP)\b.*))?$", line, re.I
        ):
            sentences.append(Sentence(test[2], not test[1], (test[3] or "").strip()))
            follows = True
        elif line.startswith("#") and follows:
            if line.startswith("# Looks like"):  # of the whole file, which is counted below
                continue
            last = sentences.pop()
            said = (*last.diagnostics, line.removeprefix("#").removeprefix(" "))
            sentences.append(Sentence(last.text, last.is_ok, last.directive, said))
        elif plan := re.match(r"1\.\.(\d+)", line):
            plans.append(int(plan[1]))
        else:
            follows = False
            wrong += [line] if line.startswith("Bail out!") else []
    if not plans:
        wrong.append("there is no plan")
    elif plans[0] != len(sentences):
        wrong.append(f"planned {plans[0]} tests, ran {len(sentences)}")
    if not sentences:
        wrong.append("there are no tests")
    if status != 0 or "ERROR:" in errors:
        wrong += errors.strip().splitlines() or [f"psql ended with status {status}"]
    return tuple(sentences), tuple(wrong)


def lines(outcome: Outcome) -> list[str]:
    """What is wrong with a run, line by line; nothing if all is well."""
    shown = []
    for number, sentence in enumerate(outcome.sentences, 1):
        if sentence.fails:
            shown.append(f"not ok {number} - {sentence.text}")
            shown += [f"# {said}".rstrip() for said in sentence.diagnostics]
    return [*shown, *outcome.complaints]
