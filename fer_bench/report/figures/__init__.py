"""Figures for papers, from the records: PDF and PNG, as wide as one column and as two. Start here.

The parts: style (how all look), subject (what is drawn of a dataset), and one file for each group of figures, with a
function ``figures(subject, inches)`` that gives names and figures. docs/figures.md says what each shows. Needs
matplotlib, which comes with the extra ``report``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fer_bench.errors import UserError
from fer_bench.report.figures import style
from fer_bench.report.figures.subject import subjects
from fer_bench.tables.model import Record
from fer_bench.tables.records import check_versions

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_figures(records: Sequence[Record], directory: Path, baseline: str = "ce") -> list[Path]:
    """Write every figure that the records can fill, at both widths, and return the paths.

    The bytes depend on the records and on matplotlib's version alone. Raises UserError for no records, for records
    that a table would not mix, and where matplotlib is missing; nothing is written then.
    """
    style.require()
    if not records:
        raise UserError("no records to draw: look at the folder of --results, or run first: python run_bench.py "
                        "--method ce,nla --protocol noise30 --seeds 3")
    check_versions(records)
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    with style.paper():
        for name, figure in drawn(records, baseline):
            paths += style.saved(figure, directory / name)
    return paths


def drawn(records: Sequence[Record], baseline: str) -> Iterator[tuple[str, Figure]]:
    """Names of files (gain-double; with the dataset where there are several) and figures."""
    from fer_bench.report.figures import classes, gains, lines, ranks, tradeoffs

    made = list(subjects(records, baseline))
    for size, inches in style.WIDTHS.items():
        found = [(subject.dataset, *one) for subject in made for part in (gains, lines, tradeoffs, classes)
                 for one in part.figures(subject, inches)]
        found += [("", *one) for one in ranks.figures(made, inches)]  # of all datasets
        for dataset, name, figure in found:
            words = [*[dataset] * (len(made) > 1 and bool(dataset)), name, size]
            yield re.sub(r"[^A-Za-z0-9_.-]+", "-", "-".join(words)), figure
