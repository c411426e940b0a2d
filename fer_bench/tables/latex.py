"""A table as LaTeX that needs \\usepackage{booktabs}, and graphicx where it is wide. Read it for what is broken up."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from fer_bench.tables.latex_text import escape
from fer_bench.tables.model import Cell, Column, Row, Section, Table
from fer_bench.tables.text import cell_text, star

LINES = 45  # of a table that fits a page with its caption
WIDTH = 345.0  # points of a line of the class article
SIZES = (("small", 4.7), ("footnotesize", 4.3), ("scriptsize", 3.8))  # and the points of a character
SPREAD = 0.65  # of a character's width in the print of spreads
SEPARATION = 3.0  # points at each side of a column


def latex(table: Table) -> str:
    """One or more table environments, of a page at most: rules between sections and above published rows, footnotes.

    What would be wider than a line in small print is scaled down to it; what is longer than a page goes on in the next
    environment, under the same number.
    """
    parts = list(_pages(table))
    texts = []
    for place, lines in enumerate(parts):
        more = " (continued)" if place else ""
        texts.append(_environment(_tabular(table, lines), caption=_caption(table) + more, again=bool(place)))
    notes = [r"\smallskip", r"\parbox{\linewidth}{\footnotesize\raggedright", *_notes(table), "}"]
    if len(parts[-1]) + _height(table) <= LINES:
        texts[-1] = texts[-1].replace(r"\end{table}", "\n".join(["", *notes, r"\end{table}"]))
    else:
        texts.append("\n".join([r"{\footnotesize\raggedright\noindent Notes to the table.\par", *_notes(table), "}"]))
    return "\n".join(texts) + "\n"


def _caption(table: Table) -> str:
    """The title, with what all rows share."""
    shared = f": {', '.join(table.sections[0].lead)}" if len(table.sections) == 1 else ""
    return escape(table.title + shared)


def _notes(table: Table) -> list[str]:
    return [rf"{escape(note)}\par" for note in table.footnotes]


def _height(table: Table) -> int:
    """How many lines of a table the footnotes take."""
    return math.ceil(0.8 * sum(1 + len(note) // 95 for note in table.footnotes))


def _environment(tabular: list[str], caption: str, again: bool) -> str:
    begin = [r"\begin{table}[tp]", r"\centering\setlength{\belowcaptionskip}{4pt}"]
    if again:
        begin.append(r"\addtocounter{table}{-1}")
    return "\n".join([*begin, rf"\caption{{{caption}}}", *tabular, r"\end{table}"])


def _tabular(table: Table, lines: Sequence[str]) -> list[str]:
    """The tabular of some lines in the largest print that fits, scaled down where none does."""
    width, count = _characters(table), table.ranked + 1 + len(table.columns)
    room = WIDTH - 2 * SEPARATION * count
    size = next((name for name, points in SIZES if width * points <= room), None)
    columns = "r" * table.ranked + "l" + "r" * len(table.columns)
    text = [rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}", r"\toprule", *_headers(table), *lines, r"\bottomrule",
            r"\end{tabular}"]
    if size is None:
        text = [r"\resizebox{\linewidth}{!}{%", *text, "}"]
    return [rf"\{size or SIZES[-1][0]}\setlength{{\tabcolsep}}{{{SEPARATION:g}pt}}", *text]


def _characters(table: Table) -> float:
    """The width of the widest line in characters of a number's; spreads are in smaller print."""
    rows = [row for section in table.sections for row in (*section.rows, *section.published)]
    widths: list[float] = [max([len(row.label + row.mark) for row in rows], default=0), 3 * table.ranked]
    for place, column in enumerate(table.columns):
        texts = [cell_text(row.cells[place], column).partition(" ± ") for row in rows]
        widths.append(max(len(column.head), *(len(value) + SPREAD * (len(spread) + 1.5 * bool(spread))
                                              for value, _, spread in texts)))
    return sum(widths)


def _pages(table: Table) -> Iterator[list[str]]:
    """The lines between header and bottom rule, a page at a time; a section that is broken up says its name again."""
    page: list[str] = []
    for section in table.sections:
        heading = _heading(section, table)
        page += [r"\midrule", *heading]
        for line in _section(section, table):
            if len(page) >= LINES:
                yield page
                page = [r"\midrule", *heading]
            page.append(line)
        if section is not table.sections[-1] and len(page) >= LINES - 5:
            yield page
            page = []
    yield page


def _heading(section: Section, table: Table) -> list[str]:
    if len(table.sections) == 1:
        return []
    columns = table.ranked + 1 + len(table.columns)
    return [rf"\multicolumn{{{columns}}}{{@{{}}l}}{{\emph{{{escape(', '.join(section.lead))}}}}} \\"]


def _section(section: Section, table: Table) -> Iterator[str]:
    for row in section.rows:
        yield _row(row, table)
    if section.published:
        yield rf"\addlinespace {'& ' * table.ranked}\emph{{published}} \\"
    for row in section.published:
        yield _row(row, table)


def _headers(table: Table) -> list[str]:
    ranks = ["rank"] * table.ranked
    lower = _line([escape(head) for head in [*ranks, "method", *(column.head for column in table.columns)]])
    if not any(column.group for column in table.columns):
        return [lower]
    start = len(ranks) + 2
    upper, rules = [""] * (start - 1), []
    for group, members in groupby(table.columns, key=lambda column: column.group):
        width = len(list(members))
        upper.append(rf"\multicolumn{{{width}}}{{c}}{{{escape(group)}}}")
        rules.append(rf"\cmidrule(lr){{{start}-{start + width - 1}}}")
        start += width
    return [_line(upper), " ".join(rules), lower]


def _row(row: Row, table: Table) -> str:
    mark = f" {row.mark}" if row.mark.startswith("[") else row.mark
    texts = [str(row.rank or "")] * table.ranked + [escape(row.label + mark)]
    return _line(texts + [_cell(cell, column) for cell, column in zip(row.cells, table.columns, strict=True)])


def _cell(cell: Cell | None, column: Column) -> str:
    """A number with its spread in smaller print; the mark of the best hangs out to the left."""
    value, _, spread = cell_text(cell, column).partition(" ± ")
    text = escape(value) + (rf"{{\tiny$\pm$\,{spread}}}" if spread else "")
    if cell and cell.bold and column.show == "value":
        text = rf"\textbf{{{text}}}"
    return rf"\llap{{{escape(mark)}}}{text}" if (mark := star(cell, column)) else text


def _line(texts: list[str]) -> str:
    return " & ".join(texts) + r" \\"
