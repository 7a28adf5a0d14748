"""The proven matrix, drawn: for the terminal, and as one page that needs nothing else."""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from string import Template

from rich.columns import Columns
from rich.table import Table
from rich.text import Text

from api import files
from api.policies.matrix import ACTORS, IN_ACME, OUTSIDE, VERBS, WORDS, Cell, Matrix, Policy

# Told apart by the sign as well: not everybody sees the colours.
SIGNS = {"-": "", "sealed": "⊘", "none": "○", "self": "◔", "tenant": "◑", "all": "●"}
COLOURS = {
    "-": "dim",
    "sealed": "magenta",
    "none": "dim red",
    "self": "cyan",
    "tenant": "green",
    "all": "yellow",
}
MEANINGS = {
    "-": "no grant",
    "sealed": "no sealed context",
    "none": "granted, but no policy opens a row",
    "self": "rows of one's own person or key",
    "tenant": "rows of the organisation entered",
    "all": "rows of every organisation, or of a table of none",
}
TEMPLATE = Path(__file__).with_name("matrix_page.html")


def terminal(matrix: Matrix) -> Columns:
    """A table of actors by verbs for each table of the database, side by side as they fit."""
    return Columns(_grids(matrix), padding=(0, 2))


def _grids(matrix: Matrix) -> Iterator[Table]:
    for table, cells in by_table(matrix).items():
        grid = Table(title=table, title_justify="left", title_style="bold", box=None)
        grid.add_column("")
        for verb in VERBS:
            grid.add_column(verb)
        for actor in ACTORS:
            words = [_word(cells[actor, verb]) for verb in VERBS]
            grid.add_row(Text(actor, style="" if actor in IN_ACME else "italic"), *words)
        yield grid


def _word(cell: Cell) -> Text:
    if cell.fault:
        return Text(f"{cell.proven}!", style="bold white on red")
    return Text(cell.proven, style=COLOURS[cell.proven])


def by_table(matrix: Matrix) -> dict[str, dict[tuple[str, str], Cell]]:
    """The cells by table, and there by actor and verb."""
    found: dict[str, dict[tuple[str, str], Cell]] = {}
    for cell in matrix.cells:
        found.setdefault(cell.table, {})[cell.actor, cell.verb] = cell
    return found


def html(matrix: Matrix) -> str:
    """The page: each cell leads to the policies that were asked and to what was tried."""
    cards = [_card(table, cells, matrix) for table, cells in by_table(matrix).items()]
    faults = "".join(f"<li>{escape(fault)}</li>" for fault in matrix.faults)
    return Template(TEMPLATE.read_text()).substitute(
        legend="".join(
            f"<li><b class={_class(word)}>{SIGNS[word]} {word}</b> {MEANINGS[word]}</li>"
            for word in WORDS
        ),
        verdict=(
            f"<ul class=faults>{faults}</ul>"
            if faults
            else f"<p>{len(matrix.cells)} cells, each tried on real rows: all as declared.</p>"
        ),
        cards="".join(cards),
    )


def _class(word: str) -> str:
    return "denied" if word == "-" else word


def _card(table: str, cells: dict[tuple[str, str], Cell], matrix: Matrix) -> str:
    stem = table.partition(".")[2]
    rows = []
    for actor in ACTORS:
        kind = "member" if actor in IN_ACME else "outside" if actor in OUTSIDE else "role"
        row = "".join(f"<td>{_link(cells[actor, verb])}</td>" for verb in VERBS)
        rows.append(f"<tr class={kind}><th scope=row>{actor}</th>{row}</tr>")
    policies = [policy for policy in matrix.policies if policy.table == table]
    proofs = "".join(_proof(cell, policies) for cell in cells.values())
    text = (files.tree().policies / f"{stem}.sql").read_text()
    return (
        f"<article id='{table}'><h2>{table}</h2><table><thead><tr><td></td>"
        + "".join(f"<th scope=col>{verb}</th>" for verb in VERBS)
        + f"</tr></thead><tbody>{''.join(rows)}</tbody></table>{proofs}"
        f"<details><summary>policies/{stem}.sql</summary><pre>{escape(text)}</pre></details>"
        "</article>"
    )


def _id(cell: Cell) -> str:
    return f"{cell.table}-{cell.verb}-{cell.actor}"


def _link(cell: Cell) -> str:
    word = cell.proven
    kind = "fault" if cell.fault else _class(word)
    label = f"{cell.actor}, {cell.verb}: {MEANINGS[word]}"
    return (
        f"<a href='#{_id(cell)}' class={kind} title='{label}'>"
        f"<i aria-hidden=true>{SIGNS[word]}</i> {word}</a>"
    )


def _proof(cell: Cell, policies: list[Policy]) -> str:
    """What a cell leads to: hidden until it is asked for."""
    tries = "".join(
        f"<tr><td>{attempt.whose}</td><td><code>{escape(_shown(attempt.statement))}</code></td>"
        f"<td>{escape(attempt.said)}</td></tr>"
        for attempt in cell.attempts
    )
    asked = "".join(
        f"<dt>{policy.name} <small>{'' if policy.permissive else 'restrictive, '}"
        f"for {policy.command} to {policy.roles}</small></dt><dd>{escape(policy.comment)}"
        + "".join(
            f"<code>{clause} ({escape(expression)})</code>"
            for clause, expression in (("using", policy.using), ("with check", policy.check))
            if expression
        )
        + "</dd>"
        for policy in policies
        if policy.command in (cell.verb, "all")
    )
    fault = f"<p class=fault>{escape(cell.fault)}</p>" if cell.fault else ""
    return (
        f"<section class=proof id='{_id(cell)}'><h3>{cell.actor}, {cell.verb}: "
        f"<b class={_class(cell.proven)}>{cell.proven}</b>"
        f"<a href='#{cell.table}' aria-label=close>✕</a></h3>{fault}"
        f"<p>{MEANINGS[cell.proven]}.</p><h4>Tried</h4><table class=tries><tr><th>row of</th>"
        f"<th>statement</th><th>answer</th></tr>{tries}</table>"
        f"<h4>Policies asked</h4><dl>{asked or '<dd>none: nothing is granted</dd>'}</dl></section>"
    )


def _shown(statement: str, most: int = 300) -> str:
    return statement if len(statement) <= most else statement[: most - 1] + "…"
