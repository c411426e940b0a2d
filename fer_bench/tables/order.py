"""The order of rows: ranks, sorting, families, and what --top leaves out. Read it for what a rank says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from fer_bench.errors import UserError, unknown
from fer_bench.tables.build import OTHERS, Grid, Key
from fer_bench.tables.model import Cell, Row, Section
from fer_bench.tables.stats import mean

SORTS = ("gain", "overall", "mean", "passes", "method")


@dataclass(frozen=True)
class Order:
    """How the rows of a block stand. ``sort``: one of SORTS; "" is gain where the baseline has runs, else accuracy.

    ``top``: only so many best rows, and the baseline; 0 shows all. ``by_family``: a block for each family of methods.
    Whatever the sorting, ranks are by gain or accuracy: of all rows, before any is left out.
    """

    sort: str = ""
    top: int = 0
    by_family: bool = False

    def check(self, grid: Grid) -> None:
        """Raise UserError for an unknown name, and for an order that these records cannot have."""
        if self.sort not in ("", *SORTS):
            raise unknown("order for --sort", self.sort, SORTS)
        if self.top < 0:
            raise UserError(f"--top {self.top}: expected how many rows to show, 1 or more")
        if self.sort == "gain" and grid.baseline not in grid.labels():
            raise UserError(f"--sort gain: the baseline {grid.baseline} has no run here; run it, or use --sort overall")
        if self.sort == "passes" and not grid.costs:
            raise UserError("--sort passes: none of these records counts forward passes; use --sort gain")

    def measure(self, grid: Grid, key: Key) -> str:
        """What the ranks of a block are by: gain, overall or mean."""
        if self.sort in ("overall", "mean"):
            return self.sort
        return "gain" if grid.baseline in grid.labels(key) else grid.accuracy


USUAL = Order()


def arranged(grid: Grid, key: Key, section: Section, order: Order) -> list[Section]:
    """A block with its rows ranked and in order, as one section, or as one for each family."""
    ranks = ranks_of(scores(grid, key, order.measure(grid, key)))
    rows = sorted((replace(row, rank=ranks.get(row.label)) for row in section.rows), key=_place(grid, order))
    if order.top and ranks:
        rows = [row for row in rows if row.label == grid.baseline or (row.rank or order.top + 1) <= order.top]
    if not order.by_family:
        return [replace(section, rows=tuple(rows))]
    rows.sort(key=lambda row: (row.label != grid.baseline, row.family == OTHERS, row.family))
    parts = [Section((*key, family), tuple(group)) for family, group in groupby(rows, lambda row: row.family)]
    parts[-1] = replace(parts[-1], published=section.published)
    return parts


def scores(grid: Grid, key: Key, measure: str) -> dict[str, float]:
    """label -> gain or accuracy, averaged over the columns that at least half of the block's rows have. A row that
    lacks one of them has none: its average would be of other columns."""
    metric = grid.accuracy if measure == "gain" else measure
    columns = [_values(grid, grid.cells(key, slot, metric), measure) for slot in grid.blocks[key]]
    common = [column for column in columns if 2 * len(column) >= len(grid.labels(key))]
    return {label: mean([column[label] for column in common]) for label in grid.labels(key)
            if common and all(label in column for column in common)}


def _values(grid: Grid, cells: dict[str, Cell], measure: str) -> dict[str, float]:
    if measure != "gain":
        return {label: cell.value for label, cell in cells.items()}
    gains = {label: cell.gain for label, cell in cells.items() if cell.gain is not None}
    return gains | ({grid.baseline: 0.0} if grid.baseline in cells else {})


def ranks_of(values: dict[str, float]) -> dict[str, int]:
    """label -> 1 for the highest; what is equal but for rounding shares a rank."""
    rounded = {label: round(value, 12) for label, value in values.items()}
    return {label: 1 + sum(other > value for other in rounded.values()) for label, value in rounded.items()}


def _place(grid: Grid, order: Order) -> Callable[[Row], tuple[Any, ...]]:
    """The sort key of a row: the baseline, then what the order asks, then rank and name."""
    def place(row: Row) -> tuple[Any, ...]:
        name = (row.label.lower(), row.label)
        ranked = (row.rank is None, row.rank or 0, *name)
        if order.sort == "method":
            return (row.label != grid.baseline, *name)
        if order.sort == "passes":
            counted = [cell.passes for cell in row.cells if cell and cell.passes is not None]
            return (row.label != grid.baseline, not counted, max(counted, default=0), *ranked)
        return (row.label != grid.baseline, *ranked)

    return place


def order_notes(grid: Grid, sections: Sequence[Section], order: Order) -> list[str]:
    """What ranks are by, and how many rows --top left out of each block."""
    if not any(row.rank for section in sections for row in section.rows):
        return []
    measures = dict.fromkeys(order.measure(grid, key) for key in grid.order)
    words = {"gain": f"gain over {grid.baseline} in {grid.accuracy} accuracy", "overall": "overall accuracy",
             "mean": "mean accuracy"}
    text = "Rank: by " + ", else by ".join(words[measure] for measure in measures)
    if len(grid.slots) > 1:
        text += (", averaged over the columns that at least half of a block's methods have; a method that lacks one "
                 "has no rank")
    notes = [text + (f"; the baseline {grid.baseline} stands first." if grid.baseline in grid.labels() else ".")]
    left = []
    for key in grid.order:
        shown = sum(len(section.rows) for section in sections if section.lead[: len(key)] == key)
        if gone := len(grid.labels(key)) - shown:
            left.append(f"{gone} of {len(grid.labels(key))} ({', '.join(key)})")
    if left:
        notes.append(f"Of each block the {order.top} best are shown, and the baseline; left out: {'; '.join(left)}.")
    return notes
