"""What a table is made of. Read it to use the numbers of a table without rendering it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Record = dict[str, Any]  # one finished run, as store.read_records gives it
Show = Literal["value", "n", "passes", "gap", "gain", "number"]  # what of a cell a column prints


@dataclass(frozen=True)
class Cell:
    """One metric of one method under one protocol, over seeds. All numbers are fractions, not percent."""

    dataset: str
    protocol: str
    metric: str  # overall, mean, or recall:<class>
    value: float  # mean over seeds
    std: float | None = None  # ddof 1; None for one seed and for published numbers
    n: int | None = None  # seeds, times folds; None for published numbers
    bold: bool = False  # not significantly below the best of its column
    best: bool = False  # the highest mean of its column
    gain: float | None = None  # over the baseline, on the seeds that both have
    p: float | None = None  # of that gain: paired sign-flip, Holm over methods; None where none could be below .05
    gap: float | None = None  # best epoch on the test set minus last epoch
    passes: float | None = None  # cost of training for each face, in forward passes of one network
    epoch: str = ""  # that the value is of: last, best or val; "" for published numbers


@dataclass(frozen=True)
class Column:
    """One printed column: `show` of the cells of one metric; `group` is the upper header, often empty."""

    group: str
    head: str
    metric: str
    show: Show = "value"


@dataclass(frozen=True)
class Row:
    """One method, or one published result. `cells` stand in the order of the table's columns."""

    label: str
    cells: tuple[Cell | None, ...]
    mark: str = ""  # † is told the noise rate, ‡ has views of its own; [1]: a published source
    rank: int | None = None  # within its block, 1 for the best; None for published results and rows with holes
    family: str = ""  # of the method; "" for published results


@dataclass(frozen=True)
class Section:
    """Rows that may be compared with each other: one dataset, and one protocol where the layout says so."""

    lead: tuple[str, ...]  # the text of the columns before the method, such as (dataset, protocol)
    rows: tuple[Row, ...]
    published: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Missing:
    """Seeds that a cell lacks, with the options (recipe, weights, track) that the other runs had. runs: how many that
    are, with their folds."""

    label: str
    dataset: str
    protocol: str
    seeds: tuple[int, ...]
    options: tuple[str, ...] = ()
    runs: int = 0


@dataclass(frozen=True)
class Table:
    """A finished table. `select` names the epoch that the numbers come from: auto, last, best or val."""

    title: str
    layout: str
    select: str
    lead: tuple[str, ...]  # heads of the columns before the method
    columns: tuple[Column, ...]
    sections: tuple[Section, ...]
    footnotes: tuple[str, ...]
    missing: tuple[Missing, ...]

    @property
    def ranked(self) -> bool:
        """Whether a column of ranks says anything: where some block has two of them."""
        return any(row.rank and row.rank > 1 for section in self.sections for row in section.rows)
