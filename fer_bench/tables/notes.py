"""The footnotes of a table: what its numbers, bold, gains and marks mean. Read it for the exact wording."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from fer_bench.library.methods import methods
from fer_bench.tables.build import Grid
from fer_bench.tables.further import test_notes
from fer_bench.tables.model import Cell, Missing, Record, Row, Section
from fer_bench.tables.order import Order, order_notes
from fer_bench.tables.published import Wanted, read_published, same_dataset, without_numbers
from fer_bench.tables.records import dataset_of, folds_of, natural, protocol_of, short_weights
from fer_bench.tables.stats import ALPHA
from fer_bench.tables.text import views_in_words
from fer_bench.tables.training_sets import training_notes

FIXED = ("list", "instance", "column")  # kinds of noise that no seed draws
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


def footnotes(grid: Grid, sections: Sequence[Section], missing: Sequence[Missing], order: Order,
              published: Wanted = "") -> list[str]:
    """All footnotes but the published sources, in the order of printing."""
    rows = [row for section in sections for row in section.rows]
    cells = [cell for row in rows for cell in row.cells]
    counts = sorted({cell.n for cell in cells if cell and cell.n})
    folds = max(folds_of(record) for record in grid.records())
    notes = [f"{_epochs(cells)}; {_spread(counts, folds)}."]
    notes += [*_best_notes(grid, cells), *order_notes(grid, sections, order)]
    notes += [*test_notes(grid.records()), *_column_notes(grid), *_noise_notes(grid), *training_notes(grid)]
    if any("†" in row.mark for row in rows):
        notes.append("† is told the true share of wrong labels (oracle_rate).")
    if any("‡" in row.mark for row in rows):
        views = "; ".join(_own_views(grid, rows))
        notes.append(f"‡ has views of its own, beyond the recipe's augmentation: {views}.")
    shown = {row.label for row in rows}
    notes += shortened(record for record in grid.records() if record["label"] in shown)
    if None in cells:
        notes.append("--: not run, or the test set has no face of that class.")
    if missing:
        notes.append(f"Incomplete: runs missing: {sum(gap.runs for gap in missing)}.")
    return notes + released_notes(shown) + (published_notes(grid, sections) if published else [])


def _best_notes(grid: Grid, cells: Sequence[Cell | None]) -> list[str]:
    notes = []
    if any(cell.best for cell in cells if cell):
        notes.append("⋆ the highest mean of its column.")
    if any(cell.bold for cell in cells if cell):
        notes.append("Bold: not significantly below the best of its column "
                     f"(paired sign-flip test over seeds, Holm over methods, {ALPHA:g}).")
    if grid.bold_withheld():
        notes.append("Nothing is bold where seeds are too few for a test to tell any method from the best.")
    return notes


def released_notes(shown: Iterable[str]) -> list[str]:
    """That a method has two rows, where it has: as its paper says, and as its authors' public code does."""
    labels = {label.split(" ")[0] for label in shown}
    both = sorted(label for label in labels if f"{label}-released" in labels)
    return [f"{name}: our reading of its paper; {name}-released: as its authors' public code has it (docs/methods.md)."
            for name in both]


def published_notes(grid: Grid, sections: Sequence[Section]) -> list[str]:
    """What published numbers are worth beside ours, and of which methods for faces there are none."""
    notes = []
    if found := {section.lead[0] for section in sections if section.published}:
        ours = [record for key in grid.order if key[0] in found for runs in grid.blocks[key].values()
                for units in runs.values() for record in units.values()]
        networks = sorted({f"network {r['spec']['recipe']['backbone']}, pre-training {short_weights(r)}" for r in ours})
        notes.append("Published numbers are context only: their noise is drawn otherwise, and a note says of each what "
                     f"else sets it apart. Ours: {' or '.join(networks)}, {_seeds(ours)}.")
    entries, known = read_published(), methods()[0]
    datasets = {dataset_of(record) for record in grid.records()}
    if not any(same_dataset(entry, dataset) for entry in entries for dataset in datasets):
        return notes  # nobody looks for published numbers of this dataset
    names = sorted({label.split(" ")[0] for label in grid.labels()})
    if lacking := without_numbers([n for n in names if n in known and known[n].family == "fer"], entries):
        notes.append(f"Of {', '.join(lacking)} no published number could be read in a primary source; docs/tables.md "
                     "says how to add one.")
    return notes


def _epochs(cells: Sequence[Cell | None]) -> str:
    """Which epoch the numbers are of; two kinds where some protocols hold faces out to choose it and others do not."""
    kinds = {cell.epoch for cell in cells if cell}
    if len(kinds) == 1:
        return EPOCHS[kinds.pop()]
    held = ", ".join(sorted({cell.protocol for cell in cells if cell and cell.epoch == "val"}))
    return f"{EPOCHS['last']}, but of {held} at the epoch that is best on the held-out validation set"


def shortened(records: Iterable[Record]) -> list[str]:
    """Which rows' schedules had fewer epochs than they are made for: by the methods' declarations, which serve earlier
    records, too."""
    known, found = methods()[0], dict[str, set[float]]()
    for record in records:
        spec = record["spec"]
        info, epochs = known.get(spec["method"]["name"]), spec["recipe"]["epochs"]
        said = record.get("shortened", {}).get("from_epochs", 0)  # of a plug-in's, which is not known here
        if (made_for := info.made_for(spec["track"]) if info else said) > epochs:
            found.setdefault(record["label"], set()).add(made_for / epochs)
    if not found:
        return []
    parts = [f"{label} {' or '.join(f'{n:.2g}' for n in sorted(times))}-fold" for label, times in sorted(found.items())]
    return [f"Schedule shortened: {', '.join(parts)}. A method's own schedule (warm-up, ramps, turning points; on "
            "track paper the learning rate, too) is made for so many times the epochs."]


def _spread(counts: Sequence[int], folds: int) -> str:
    if counts[-1] == 1:
        return "n = 1: one seed, no spread"
    seeds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    what = f"runs ({folds} folds of each seed; tests compare means over folds)" if folds else "seeds"
    return f"mean ± standard deviation (ddof 1) over n = {seeds} {what}"


def _seeds(records: Iterable[Record]) -> str:
    count = len({record["spec"]["seed"] for record in records})
    return "one seed" if count == 1 else f"{count} seeds"


def _own_views(grid: Grid, rows: Sequence[Row]) -> list[str]:
    """The views of each method shown that has any."""
    shown = {row.label for row in rows}
    found = {record["spec"]["method"]["name"]: record["views"] for record in grid.records()
             if "views" in record and record["label"] in shown}
    return [f"{name} {views_in_words(views)}" for name, views in sorted(found.items())]


def _column_notes(grid: Grid) -> list[str]:
    shown = {column.show for _, column in grid.columns}
    notes = []
    if "passes" in shown:
        notes.append("passes: cost of training for each face, in forward passes of one network.")
    if "gap" in shown:
        notes.append("best − last: what picking the epoch on the test set would add to overall accuracy.")
    if "gain" in shown and grid.baseline in grid.labels():
        cells = [cell for key in grid.order for slot in grid.blocks[key]
                 for cell in grid.cells(key, slot, grid.accuracy).values() if cell.gain is not None]
        gain = f"Gain: {grid.accuracy} accuracy minus that of {grid.baseline}, over the seeds that both have"
        if any(cell.p is not None for cell in cells):
            gain += "; p: paired two-sided sign-flip test, Holm over methods"
        if any(cell.p is None for cell in cells):
            gain += ("; no p where none could be below .05: n seeds give no less than 2^(1-n), times the methods "
                     "compared")
        notes.append(f"{gain}.")
    elif "gain" in shown:
        notes.append(f"No gain: the baseline {grid.baseline} has no run here.")
    return notes


def _noise_notes(grid: Grid) -> list[str]:
    """What to know of wrong labels, and of faces left out, that no run's seed draws."""
    parts = [(protocol_of(record), part) for record in grid.records() for key in ("noise", "imbalance")
             if (part := record["spec"]["protocol"].get(key))]
    notes = []
    if any(part.get("kind") == "instance" for _, part in parts):
        notes.append("IDN: instance-dependent noise, the class that a reference network confuses the face with, most "
                     "confusable faces first.")
    drawn = {key: {name for name, part in parts if key in part and part.get("seed") is not None}
             for key in ("kind", "factor")}  # of noise, of imbalance
    labels = drawn["kind"] | {name for name, part in parts if part.get("kind") in FIXED}
    for what, fixed in (("wrong labels", labels), ("faces that are left out", drawn["factor"])):
        if fixed:
            notes.append(f"The {what} of {', '.join(sorted(fixed, key=natural))} are the same for every seed: ± is of "
                         "training alone there.")
    return notes
