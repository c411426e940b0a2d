"""A table as LaTeX that needs only \\usepackage{booktabs}. Read it when a character breaks a paper."""

from __future__ import annotations

from itertools import groupby

from fer_bench.tables.model import Column, Row, Section, Table
from fer_bench.tables.text import cell_text

ESCAPES = str.maketrans(
    {
        **{mark: f"\\{mark}" for mark in "_%&#${}"},
        "\\": r"\textbackslash{}",
        "^": r"\textasciicircum{}",
        "~": r"\textasciitilde{}",
        "<": "$<$",
        ">": "$>$",
        "|": "$|$",
        "[": "{[}",  # a row that starts with [ would be read as an option of the \\ before it
        "]": "{]}",
        "±": r"$\pm$",
        "−": "$-$",
        "†": r"$^{\dagger}$",
        "‡": r"$^{\ddagger}$",
        "…": r"\ldots{}",
    }
)


def escape(text: str) -> str:
    """Plain text as LaTeX text."""
    return text.translate(ESCAPES)


def latex(table: Table) -> str:
    """A table environment: caption, rules between sections and above published rows, footnotes."""
    leads = len(table.lead) + 1
    lines = [
        r"\begin{table}[t]",
        r"\centering\small\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{escape(table.title)}}}",
        rf"\begin{{tabular}}{{{'l' * leads}{'r' * len(table.columns)}}}",
        r"\toprule",
        *_headers(table, leads),
    ]
    for section in table.sections:
        lines += [r"\midrule", *_rows(section, section.rows, table.columns)]
        if section.published:
            lines.append(rf"\cmidrule(l){{{leads}-{leads + len(table.columns)}}}")
            lines += _rows(section, section.published, table.columns, name_section=False)
    lines += [r"\bottomrule", r"\end{tabular}", "", r"\smallskip", r"\parbox{\linewidth}{\footnotesize"]
    lines += [rf"{escape(note)}\par" for note in table.footnotes]
    return "\n".join([*lines, "}", r"\end{table}"]) + "\n"


def _headers(table: Table, leads: int) -> list[str]:
    heads = [*table.lead, "method", *(column.head for column in table.columns)]
    lower = _line([escape(head) for head in heads])
    if not any(column.group for column in table.columns):
        return [lower]
    upper, rules, start = [""] * leads, [], leads + 1
    for group, members in groupby(table.columns, key=lambda column: column.group):
        width = len(list(members))
        upper.append(rf"\multicolumn{{{width}}}{{c}}{{{escape(group)}}}")
        rules.append(rf"\cmidrule(lr){{{start}-{start + width - 1}}}")
        start += width
    return [_line(upper), " ".join(rules), lower]


def _rows(
    section: Section,
    rows: tuple[Row, ...],
    columns: tuple[Column, ...],
    name_section: bool = True,
) -> list[str]:
    """The lines of some rows; the section's lead stands in the first one only."""
    lines = []
    for place, row in enumerate(rows):
        lead = section.lead if place == 0 and name_section else ("",) * len(section.lead)
        mark = f" {row.mark}" if row.mark.startswith("[") else row.mark
        texts = []
        for cell, column in zip(row.cells, columns, strict=True):
            text = escape(cell_text(cell, column))
            texts.append(rf"\textbf{{{text}}}" if cell and cell.bold and column.show == "value" else text)
        lines.append(_line([*(escape(text) for text in lead), escape(row.label + mark), *texts]))
    return lines


def _line(texts: list[str]) -> str:
    return " & ".join(texts) + r" \\"
