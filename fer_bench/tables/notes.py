"""The footnotes of a table: what its numbers, bold, gains and marks mean. Read it for the exact wording."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from fer_bench.library.methods import methods
from fer_bench.tables.build import Grid
from fer_bench.tables.model import Missing, Record, Section
from fer_bench.tables.stats import ALPHA

EPOCHS = {
    "last": "Test accuracy in percent at the last epoch",
    "best": "Test accuracy in percent at the best epoch: best = picked on the test set, as most papers do",
    "val": "Test accuracy in percent at the epoch that is best on the held-out validation set",
}


def number_sources(sections: Sequence[Section]) -> tuple[list[Section], list[str]]:
    """Replace the notes of published rows by [1], [2], ...; and the footnotes that say what these mean."""
    numbers: dict[str, int] = {}
    marked = []
    for section in sections:
        rows = []
        for row in section.published:
            number = numbers.setdefault(row.mark, len(numbers) + 1)
            rows.append(replace(row, mark=f"[{number}]"))
        marked.append(replace(section, published=tuple(rows)))
    return marked, [f"[{number}] {note}" for note, number in numbers.items()]


def footnotes(grid: Grid, sections: Sequence[Section], missing: Sequence[Missing]) -> list[str]:
    """All footnotes but the published sources, in the order of printing."""
    rows = [row for section in sections for row in section.rows]
    cells = [cell for row in rows for cell in row.cells]
    counts = sorted({cell.n for cell in cells if cell and cell.n})
    notes = [f"{EPOCHS[grid.select]}; {_spread(counts)}."]
    if any(cell.bold for cell in cells if cell):
        notes.append(
            "Bold: not significantly below the best of its column "
            f"(paired sign-flip test over seeds, Holm over methods, {ALPHA:g})."
        )
    if grid.bold_withheld():
        notes.append("Nothing is bold where seeds are too few for a test to tell any method from the best.")
    notes += _column_notes(grid)
    if any(row.mark for row in rows):
        notes.append("† is told the true share of wrong labels (oracle_rate).")
    notes += shortened(grid.records())
    if None in cells:
        notes.append("--: not run, or the test set has no face of that class.")
    if missing:
        notes.append(f"Incomplete: runs missing: {sum(len(gap.seeds) for gap in missing)}.")
    if any(section.published for section in sections):
        notes.append("Published numbers have other networks, noise draws and choices of epoch: context only.")
    return notes


def shortened(records: Iterable[Record]) -> list[str]:
    """Which rows' schedules had fewer epochs than they are made for: by the methods' declarations, which serve earlier
    records, too."""
    known, found = methods()[0], dict[str, set[float]]()
    for record in records:
        spec = record["spec"]
        info, epochs = known.get(spec["method"]["name"]), spec["recipe"]["epochs"]
        if info and (made_for := info.made_for(spec["track"])) > epochs:
            found.setdefault(record["label"], set()).add(made_for / epochs)
    if not found:
        return []
    parts = [f"{label} {' or '.join(f'{n:.2g}' for n in sorted(times))}-fold" for label, times in sorted(found.items())]
    return [f"Schedule shortened: {', '.join(parts)}. A method's own schedule (warm-up, ramps, turning points; on "
            "track paper the learning rate, too) is made for so many times the epochs."]


def _spread(counts: Sequence[int]) -> str:
    if counts[-1] == 1:
        return "n = 1: one seed, no spread"
    seeds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"mean ± standard deviation (ddof 1) over n = {seeds} seeds"


def _column_notes(grid: Grid) -> list[str]:
    shown = {column.show for _, column in grid.columns}
    notes = []
    if "passes" in shown:
        notes.append("passes: cost of training for each face, in forward passes of one network.")
    if "gap" in shown:
        notes.append("best − last: what picking the epoch on the test set would add to overall accuracy.")
    if "gain" in shown and grid.baseline in grid.labels():
        notes.append(
            f"Gain: overall accuracy minus that of {grid.baseline}, over the seeds that both have; p: paired "
            "two-sided sign-flip test, Holm over methods; n seeds cannot give less than 2^(1-n)."
        )
    elif "gain" in shown:
        notes.append(f"No gain: the baseline {grid.baseline} has no run here.")
    return notes
