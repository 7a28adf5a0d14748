"""
Run pgTAP files and report: `saas-api policies test`.

Each file is one transaction that is rolled back, whatever it does. A database that lacks pgTAP or
the helper schema is given them in that transaction, so that nothing is left behind.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

from api import files, urls
from api.failure import Failure
from api.policies import databases, pgtap, tap
from api.policies.tap import Outcome

HELPERS_ARE = """
select
    to_regnamespace('gate') is not null as is_ours,
    to_regnamespace('tests') is not null as is_taken,
    to_regprocedure('tests.new_tenant(text)') is not null as has_helpers,
    (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = current_user) as may,
    pg_catalog.pg_is_in_recovery() as is_standby
"""
NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def find(paths: Sequence[Path]) -> list[Path]:
    """
    The files, and those in the folders, in order; the shipped suite if none is named.

    Errors: Failure for what is not there, or when there is no test at all.
    """
    found: dict[Path, None] = {}
    for path in paths or [files.pgtap_tests()]:
        if not path.exists():
            raise Failure(f"no file or folder {path}")
        inside = sorted(path.rglob("*.sql")) if path.is_dir() else [path]
        found |= dict.fromkeys(each for each in inside if each.resolve() != databases.HELPERS)
    if not found:
        raise Failure("no .sql file there")
    return list(found)


def prelude(url: str) -> str:
    """
    SQL that gives a transaction what the database lacks: pgTAP, and the helper schema.

    Errors: Failure when the database is not ours, or its role may not play the actors.
    """
    with urls.connect(url, name="--url") as connection:
        row = connection.execute(HELPERS_ARE).fetchone()
        assert row is not None
        is_ours, is_taken, has_helpers, may, is_standby = row
        if not is_ours:
            raise Failure("that database has no schema gate: run saas-api migrate on it first")
        if is_standby:
            raise Failure("that server is a standby and cannot be written to: use its primary")
        if not may:
            raise Failure("--url needs a superuser: the actors' rows are made behind the policies")
        if is_taken and not has_helpers:
            raise Failure("that database has a schema tests of somebody else's: it is left alone")
        helpers = "" if has_helpers else databases.HELPERS.read_text()
        return pgtap.script(connection) + helpers


def run(paths: Sequence[Path], url: str, first: str = "") -> Iterator[Outcome]:
    """Run one file after the other; `first` is what `prelude` said."""
    for path in paths:
        yield tap.run(path, url, first)


def title(path: Path) -> str:
    """A file as the report names it: within the shipped suite, or as it was given."""
    root = files.pgtap_tests()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def line(outcome: Outcome) -> list[str]:
    """A file in the report, with what is wrong with it."""
    verdict = "ok    " if outcome.is_ok else "not ok"
    count = len(outcome.sentences)
    head = f"{verdict}  {title(outcome.path)}  {count} tests, {outcome.seconds:.2f} s"
    return [head, *(f"        {said}" for said in tap.lines(outcome))]


def total(outcomes: Sequence[Outcome]) -> str:
    """The last line of the report."""
    sentences = [sentence for outcome in outcomes for sentence in outcome.sentences]
    return (
        f"{len(outcomes)} files, {sum(not each.is_ok for each in outcomes)} of them not ok; "
        f"{len(sentences)} tests, {sum(each.fails for each in sentences)} failed; "
        f"{sum(each.seconds for each in outcomes):.1f} s"
    )


def junit(outcomes: Sequence[Outcome]) -> bytes:
    """
    JUnit XML: a suite a file, a case a sentence; what is wrong with a whole file is an error of a
    case named after it. Seconds are the file's, since TAP tells none of a sentence.
    """
    root = ElementTree.Element("testsuites", name="pgTAP")
    sums = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for outcome in outcomes:
        name = title(outcome.path)
        suite = ElementTree.SubElement(root, "testsuite", name=name, time=f"{outcome.seconds:.3f}")
        counts = dict.fromkeys(sums, 0)
        for sentence in outcome.sentences:
            case = _case(suite, name, sentence.text or "(no description)")
            counts["tests"] += 1
            if sentence.fails:
                counts["failures"] += 1
                _tell(case, "failure", sentence.text, sentence.diagnostics)
            elif sentence.directive:
                counts["skipped"] += 1
                _tell(case, "skipped", sentence.directive, ())
        if outcome.complaints:
            counts["tests"] += 1
            counts["errors"] += 1
            _tell(_case(suite, name, name), "error", outcome.complaints[0], outcome.complaints)
        for key, value in counts.items():
            suite.set(key, str(value))
            sums[key] += value
    for key, value in sums.items():
        root.set(key, str(value))
    root.set("time", f"{sum(each.seconds for each in outcomes):.3f}")
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _case(suite: ElementTree.Element, file: str, name: str) -> ElementTree.Element:
    group = file.removesuffix(".sql").replace("/", ".")
    return ElementTree.SubElement(suite, "testcase", classname=group, name=_clean(name), time="0")


def _tell(case: ElementTree.Element, kind: str, message: str, said: Sequence[str]) -> None:
    element = ElementTree.SubElement(case, kind, message=_clean(message))
    if kind != "skipped":
        element.set("type", "pgTAP")
        element.text = _clean("\n".join(said))


def _clean(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
