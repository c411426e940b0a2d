"""A table as markdown or CSV; LaTeX is in latex.py. Read it for how a number is printed."""

from __future__ import annotations

import csv
import io

from fer_bench.errors import unknown
from fer_bench.tables.latex import latex
from fer_bench.tables.model import Cell, Row, Section, Table
from fer_bench.tables.text import cell_text, star

SUFFIXES = {"markdown": "md", "latex": "tex", "csv": "csv"}
CSV_COLUMNS = (
    *("dataset", "protocol", "method", "metric", "n", "mean", "std", "select", "best_minus_last", "p"),
    *("gain", "source", "rank", "family"),
)


def render(table: Table, format: str = "markdown") -> str:
    """The table as text, ending in a newline. Percent with two decimals; CSV has percent with six."""
    if format not in SUFFIXES:
        raise unknown("table format", format, SUFFIXES)
    return {"markdown": markdown, "latex": latex, "csv": long_csv}[format](table)


def markdown(table: Table) -> str:
    """A heading, a GitHub table (the dataset is repeated in every row) and the footnotes as a list."""
    from tabulate import tabulate

    ranks = ["rank"] if table.ranked else []
    heads = [*table.lead, *ranks, "method", *(f"{column.group} {column.head}".strip() for column in table.columns)]
    align = ["left"] * len(table.lead) + ["right"] * len(ranks) + ["left"] + ["right"] * len(table.columns)
    lines = [line for section in table.sections for line in _markdown_lines(section, table)]
    body = tabulate(
        [[_escape(text) for text in line] for line in lines],
        headers=[_escape(head) for head in heads],
        tablefmt="pipe",  # GitHub's table with the alignment of each column
        colalign=align,
        disable_numparse=True,
    )
    notes = "\n".join(f"- {_escape(note)}" for note in table.footnotes)
    return f"### {table.title}\n\n{body}\n\n{notes}\n"


def _markdown_lines(section: Section, table: Table) -> list[list[str]]:
    lines = [_markdown_line(section, row, table) for row in section.rows]
    if section.published:  # markdown has no rule inside a table
        lines.append([*section.lead, *[""] * table.ranked, "published:", *[""] * len(table.columns)])
    return lines + [_markdown_line(section, row, table) for row in section.published]


def _markdown_line(section: Section, row: Row, table: Table) -> list[str]:
    texts = []
    for cell, column in zip(row.cells, table.columns, strict=True):
        text = cell_text(cell, column)
        texts.append(star(cell, column) + (f"**{text}**" if cell and cell.bold and column.show == "value" else text))
    mark = f" {row.mark}" if row.mark.startswith("[") else row.mark
    ranks = [str(row.rank or "")] if table.ranked else []
    return [*section.lead, *ranks, row.label + mark, *texts]


def _escape(text: str) -> str:
    """Keep a pipe from ending a column; other marks of markdown do no harm in our texts."""
    return text.replace("|", "\\|")


def long_csv(table: Table) -> str:
    """One line for each metric of each row, easy to read back: percent, empty where there is none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    sources = dict(note.split(" ", 1) for note in table.footnotes if note.startswith("["))
    for section in table.sections:
        for row in (*section.rows, *section.published):
            for cell, column in zip(row.cells, table.columns, strict=True):
                if cell is not None and column.show == "value":
                    writer.writerow(_csv_line(row, cell, sources.get(row.mark, "")))
    return text.getvalue()


def _csv_line(row: Row, cell: Cell, source: str) -> list[str]:
    gap, p = _percent(cell.gap), "" if cell.p is None else f"{cell.p:.6g}"
    count = "" if cell.n is None else str(cell.n)
    where = [cell.dataset, cell.protocol, row.label, cell.metric]
    rest = [source, str(row.rank or ""), row.family]
    return [*where, count, _percent(cell.value), _percent(cell.std), cell.epoch, gap, p, _percent(cell.gain), *rest]


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.6f}"
