"""
Run a pgTAP file, and judge what it says.

By psql, as pg_prove does, in a database that has pgTAP and tests/sql/helpers.sql, or is given them
by a prelude: SQL that is run first, in the transaction of the file.
"""

import re
import subprocess
import tempfile
import time
from dataclasses import dataclass, replace
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
# As prove reads TAP: a test, what is a directive of its text (a `\#` begins none), and a plan.
TEST = re.compile(r"(not )?ok\b\s*(\d+)?\s*(.*)\Z", re.ASCII)
DIRECTED = re.compile(
    r"([^\\#]*(?:\\.[^\\#]*)*)#\s*(SKIP|TODO)\b\s*(.*)\Z", re.ASCII | re.IGNORECASE
)
PLAN = re.compile(r"1\.\.(\d+)\s*(?:todo((?:\s+\d+)+)|(.*))", re.ASCII)
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


def read(path: Path) -> tuple[str, str]:
    """
    How a file begins, and its body, without the rollback.

    Errors: TapFailure for one that could leave something behind.
    """
    whole = WHOLE.fullmatch(path.read_text())
    if whole is None:
        raise TapFailure(f"{path.name} must begin with begin; and end with rollback;")
    if left := LEAVES.search(QUOTED.sub(" ", whole["body"])):
        word = " ".join((left[1] or left[2]).split()).lower()
        raise TapFailure(f"{path.name} is one transaction of plain SQL: no {word} in it")
    return whole["begin"], whole["body"]


def run(path: Path, url: str, prelude: str = "") -> Outcome:
    """Run a file by psql; one that could leave something behind is not run."""
    try:
        begin, _ = read(path)
    except TapFailure as refused:
        return Outcome(path, (), (str(refused),))
    quiet = urls.replace(url, options="-c client_min_messages=error")
    began = time.monotonic()
    with tempfile.NamedTemporaryFile("w", prefix="saas-api-", suffix=".sql") as first:
        # The file's own begin has nothing left to do.
        first.write(f"{begin};\n{KEEPER}{prelude}")
        first.flush()
        result = subprocess.run(
            [
                *(embedded.program("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1"),
                *("-f", first.name, "-f", path, quiet),
            ],
            capture_output=True,
            check=False,
        )
    # Not as text, for which Python would end a line at a carriage return, too.
    output, errors = (said.decode(errors="replace") for said in (result.stdout, result.stderr))
    sentences, complaints = judge(output, errors, result.returncode)
    return Outcome(path, sentences, complaints, time.monotonic() - began)


class Hearing:
    """
    The judge: it hears a run's TAP line by line, and finds what `prove` finds.

    `wrong` is what is wrong beside sentences that fail. Source: Perl's TAP::Parser, version 12.
    """

    def __init__(self) -> None:
        self.sentences: list[Sentence] = []
        self.wrong: list[str] = []
        self._planned: int | None = None
        self._begun = 0  # tests before the plan
        self._to_do: set[int] = set()  # that the plan says so of
        self._follows = False  # whether the line before was of a sentence

    @property
    def fails(self) -> bool:
        """Whether the last line was bad news."""
        return bool(self.wrong) or (bool(self.sentences) and self.sentences[-1].fails)

    def hear(self, line: str) -> None:
        """One line, without its end."""
        if line.startswith("#"):
            if self._follows and not line.startswith("# Looks like"):  # which is counted in close
                said = line.removeprefix("#").removeprefix(" ")
                last = self.sentences[-1]
                self.sentences[-1] = replace(last, diagnostics=(*last.diagnostics, said))
            return
        self._follows = False
        if test := TEST.match(line):
            self._test(*test.groups())
        elif (plan := PLAN.match(line)) and (int(plan[1]) == 0 or not plan[3]):
            self._plan(int(plan[1]), plan[2])
        elif line.lstrip().startswith("Bail out!"):
            self.wrong.append(line.strip())

    def _test(self, no: str | None, number: str | None, said: str) -> None:
        directed = DIRECTED.match(said)
        text, kind, why = directed.groups() if directed else (said, "", "")
        count = len(self.sentences) + 1
        if number and int(number) in self._to_do:
            kind = "TODO"
        text = text.removeprefix("- ").strip().replace("\\#", "#")
        directive = f"{kind.upper()} {why}".strip()
        self.sentences.append(Sentence(text, not no, directive))
        self._follows = True
        if number and int(number) != count:
            self.wrong.append(f"test {number} comes where test {count} should")
        if self._begun and self._planned is not None:
            self.wrong.append("the plan is neither before the tests nor after them")

    def _plan(self, planned: int, to_do: str | None) -> None:
        if self._planned is not None:
            self.wrong.append("there is more than one plan")
        else:
            self._begun = len(self.sentences)
        self._planned = planned
        self._to_do |= {int(number) for number in (to_do or "").split()}

    def close(self) -> None:
        """There are no more lines."""
        count = len(self.sentences)
        if self._planned is None:
            self.wrong.append("there is no plan")
        elif self._planned != count:
            self.wrong.append(f"planned {self._planned} tests, ran {count}")


def judge(output: str, errors: str, status: int) -> tuple[tuple[Sentence, ...], tuple[str, ...]]:
    """A run's sentences, and what is wrong with its TAP beside those that fail."""
    hearing = Hearing()
    for line in output.split("\n"):
        hearing.hear(line)
    hearing.close()
    if status != 0:
        hearing.wrong += errors.strip().splitlines() or [f"psql ended with status {status}"]
    return tuple(hearing.sentences), tuple(dict.fromkeys(hearing.wrong))


def lines(outcome: Outcome) -> list[str]:
    """What is wrong with a run, line by line; nothing if all is well."""
    shown = []
    for number, sentence in enumerate(outcome.sentences, 1):
        if sentence.fails:
            shown.append(f"not ok {number} - {sentence.text}")
            shown += [f"# {said}".rstrip() for said in sentence.diagnostics]
    return [*shown, *outcome.complaints]
