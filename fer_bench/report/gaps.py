"""What a page has not: cells without runs, methods with one seed, versions side by side. Said before any number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from fer_bench.tables.build import options_of
from fer_bench.tables.model import Missing, Record
from fer_bench.tables.records import dataset_of, mixtures, protocol_of, unit_of

APART = ("the engine", "method", "hyper-parameters of method", "content of protocol")  # versions worth a word
Rows = Mapping[str, Sequence[Record]]  # the runs of each row under one protocol
Protocols = Mapping[str, Rows]  # in one setting


def missing(protocols: Protocols) -> Iterator[Missing]:
    """Cells of a setting that have no run, with the seeds that most cells of their protocol have."""
    rows = {row: runs[0] for cells in protocols.values() for row, runs in cells.items()}
    for cells in protocols.values():
        some = next(iter(cells.values()))[0]
        usual = Counter(map(seeds_of, cells.values())).most_common(1)[0][0]
        for row in sorted(rows.keys() - cells.keys()):
            yield Missing(rows[row]["label"], dataset_of(some), protocol_of(some), usual, options_of(some), len(usual))


def repeating(runs: Sequence[Record]) -> Missing:
    """The runs of a cell, as what a command would have to make."""
    some = runs[0]
    return Missing(some["label"], dataset_of(some), protocol_of(some), seeds_of(runs), options_of(some), len(runs))


def seeds_of(runs: Sequence[Record]) -> tuple[int, ...]:
    """The seeds of some runs, in order."""
    return tuple(sorted({unit_of(run)[0] for run in runs}))


def warnings(settings: Mapping[str, Protocols]) -> Iterator[str]:
    """What a reader should know before reading, in sentences."""
    for name, protocols in settings.items():
        cells = [runs for rows in protocols.values() for runs in rows.values()]
        rows = {row for found in protocols.values() for row in found}
        single = sum(len({unit_of(run)[0] for run in runs}) == 1 for runs in cells)
        if single == len(cells):
            yield f"{name}: one seed everywhere. Nothing here shows how much a number changes with the seed."
        elif single:
            yield f"{name}: one seed in {single:,} of {len(cells):,} cells: no spread there."
        if lack := len(rows) * len(protocols) - len(cells):
            yield (f"{name}: {lack:,} of {len(rows) * len(protocols):,} cells (method under protocol) have no run; "
                   "means over protocols leave their methods out.")
    for mixture in mixtures(record for protocols in settings.values() for rows in protocols.values()
                            for runs in rows.values() for record in runs):
        if mixture.kind in APART:
            yield f"Shown apart, versions of {mixture.what}: {mixture.found}. {mixture.option} chooses one."
    if len(settings) > 1:
        yield ("Numbers of different settings (dataset, recipe, weights, versions) are shown apart and never compared "
               "with each other.")
