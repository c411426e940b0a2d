"""Puts records into a layout. Read it for the order of rows and for what counts as a missing run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from fer_bench.errors import UserError
from fer_bench.library.methods import methods
from fer_bench.protocols.protocol import OF_A_DATASET, default_recipe
from fer_bench.tables.cells import Runs, cells_of, too_few_seeds
from fer_bench.tables.layouts import KINDS, Layout, Slot, columns_of
from fer_bench.tables.model import Cell, Column, Missing, Record, Row, Section
from fer_bench.tables.published import Published, matches
from fer_bench.tables.records import dataset_of, folds_of, natural, protocol_of, short_weights, unit_of

Key = tuple[str, ...]
OTHERS = "other"  # the family of a method that the library does not know


@dataclass
class Grid:
    """The records of one table by section, slot, label and seed."""

    layout: Layout
    select: str
    baseline: str
    blocks: dict[Key, dict[Slot, Runs]] = field(default_factory=dict)
    protocols: dict[tuple[Key, Slot], str] = field(default_factory=dict)  # the one protocol of each slot
    asked: dict[Slot, tuple[str, ...]] = field(default_factory=dict)  # what asks for a slot's further tests
    _cells: dict[tuple[Key, Slot, str], dict[str, Cell]] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """File one record, unless the layout has no place for it; UserError when its place is taken."""
        place = self.layout.place(record)
        if place is None:
            return
        key, slot = place
        runs = self.blocks.setdefault(key, {}).setdefault(slot, {})
        first = self.protocols.setdefault(place, protocol_of(record))
        if first != protocol_of(record):
            both = " and ".join(sorted((first, protocol_of(record))))
            raise UserError(f"protocols {both} share the column '{slot.head}': choose one with --protocol")
        if words := record.get("words"):
            self.asked.setdefault(slot, words)
        seed, fold = unit = unit_of(record)
        taken = runs.setdefault(record["label"], {}).setdefault(unit, record)
        if taken is not record:
            what = f"{record['label']}, {protocol_of(record)}, {dataset_of(record)}, seed {seed}"
            what += f", fold {fold}" if fold else ""
            raise UserError(f"two runs of {what}: {taken['id']} and {record['id']}; keep one "
                "of the two files")

    @cached_property
    def order(self) -> list[Key]:
        """The sections, protocols in natural order. This and what follows: once all records are filed."""
        return sorted(self.blocks, key=lambda key: [natural(text) for text in key])

    @cached_property
    def slots(self) -> list[Slot]:
        """Every slot that any section has."""
        return sorted({slot for block in self.blocks.values() for slot in block})

    def labels(self, key: Key | None = None) -> list[str]:
        """The labels of a section (None: of the table), baseline first, then alphabetical."""
        blocks = self.blocks.values() if key is None else [self.blocks[key]]
        found = {label for block in blocks for runs in block.values() for label in runs}
        return sorted(found, key=lambda label: (label != self.baseline, label.lower(), label))

    def records(self) -> Iterator[Record]:
        """All that were filed."""
        for block in self.blocks.values():
            for runs in block.values():
                for units in runs.values():
                    yield from units.values()

    @cached_property
    def costs(self) -> bool:
        """Whether any record counts forward passes."""
        return any("forward_passes" in record.get("cost", {}) for record in self.records())

    @cached_property
    def accuracy(self) -> str:
        """The accuracy that gains and ranks are of: overall, or mean where the layout shows only that."""
        return "overall" if any(metric == "overall" for _, metric, _ in self.layout.shows) else "mean"

    def cells(self, key: Key, slot: Slot, metric: str) -> dict[str, Cell]:
        """label -> cell of one metric in one group of columns of a block."""
        place = key, slot, metric
        if place not in self._cells:
            self._cells[place] = cells_of(self.blocks[key].get(slot, {}), self.select, metric, self.baseline)
        return self._cells[place]

    @cached_property
    def columns(self) -> list[tuple[Slot, Column]]:
        """The table's columns, each with its slot."""
        shows = [show for show in columns_of(self.layout, next(self.records())) if show[2] != "passes" or self.costs]
        places = [(slot, show) for slot in self.slots for show in shows]
        return [(slot, Column(slot.head, *show)) for slot, show in places]

    def section(self, key: Key, published: Sequence[Published]) -> Section:
        """One block of rows, with the published results that belong under it (marks are set later)."""
        block, columns, known = self.blocks[key], self.columns, methods()[0]
        rows = []
        for label in self.labels(key):
            found = tuple(self.cells(key, slot, column.metric).get(label) for slot, column in columns)
            info = known.get(label.split(" ")[0])
            rows.append(Row(label, found, self._mark(block, label), family=info.family if info else OTHERS))
        return Section(key, tuple(rows), tuple(_published_rows(block, columns, published)))

    def _mark(self, block: dict[Slot, Runs], label: str) -> str:
        """† for a method that is told the noise rate, ‡ for one with views of its own."""
        records = [record for runs in block.values() for record in runs.get(label, {}).values()]
        told = any(record["spec"]["method"]["parameters"].get("oracle_rate") is True for record in records)
        return "†" * told + "‡" * any("views" in record for record in records)

    def bold_withheld(self) -> bool:
        """Whether a column that compares methods has too few seeds for the bold rule."""
        return any(
            too_few_seeds(runs, self.select, column.metric)
            for block in self.blocks.values()
            for slot, column in self.columns
            if (runs := block.get(slot))
        )

    def missing(self) -> list[Missing]:
        """Runs that a full table would have: every label, section and slot, with the union of the seeds."""
        labels, seeds = self.labels(), {record["spec"]["seed"] for record in self.records()}
        of_family: dict[tuple[str, Slot], str] = {}
        for key in self.order:
            for slot in (slot for slot in self.blocks[key] if KINDS[slot.kind] not in OF_A_DATASET):
                of_family.setdefault((_family_of(key), slot), self.protocols[key, slot])
        gaps = []
        for key in self.order:
            some = _first(next(iter(self.blocks[key].values())))
            expected = {(seed, fold) for seed in seeds for fold in _folds(some)}
            for slot in self.slots:
                protocol = self.protocols.get((key, slot)) or (
                    key[1] if len(key) > 1 else of_family.get((_family_of(key), slot)))
                for label in labels if protocol else ():
                    absent = expected - self.blocks[key].get(slot, {}).get(label, {}).keys()
                    if absent:
                        where = (label, dataset_of(some), str(protocol))
                        lacking = tuple(sorted({seed for seed, _ in absent}))
                        options = (*options_of(some), *self.asked.get(slot, ()))
                        gaps.append(Missing(*where, lacking, options, len(absent)))
        return gaps


def _family_of(key: Key) -> str:
    """What the protocols of a section do besides noise and imbalance: the part of its name in parentheses."""
    return key[0].partition(" (")[2]


def _folds(record: Record) -> range:
    """The folds that a seed has: 0 alone on a dataset with a test set of its own."""
    return range(1, folds + 1) if (folds := folds_of(record)) else range(1)


def _first(runs: Runs) -> Record:
    """Any of the runs, where only what they share is wanted."""
    return next(iter(next(iter(runs.values())).values()))


def options_of(record: Record) -> tuple[str, ...]:
    """What a command must add so that its runs fit this table; the user fills in DIR-... and FILE-...."""
    spec, dataset = record["spec"], dataset_of(record)
    options = []
    if dataset != "synthetic" and ":" not in dataset:  # folder:NAME says itself that a path belongs there
        options += ["--data-root", f"DIR-{dataset}"]
    if spec["recipe"]["name"] != default_recipe(dataset, spec["track"]):
        options += ["--recipe", spec["recipe"]["name"]]
    if folds := folds_of(record):
        options += ["--folds", str(folds)]
    if spec["weights"] != "none":
        options += ["--weights", short_weights(record, "FILE-")]
    if spec["track"] != "fair":
        options += ["--track", spec["track"]]
    return tuple(options)


def _published_rows(
    block: dict[Slot, Runs], columns: list[tuple[Slot, Column]], published: Sequence[Published]
) -> Iterator[Row]:
    """One row for each method, network and source; two numbers for one cell make two rows."""
    rows: list[tuple[Published, dict[tuple[Slot, str], Cell]]] = []
    metrics = {(slot, column.metric) for slot, column in columns}
    for slot, runs in sorted(block.items()):
        some = _first(runs)
        for entry in published:
            dataset, protocol = dataset_of(some), protocol_of(some)
            if (slot, entry.metric) not in metrics or not matches(entry, dataset, some["spec"]["protocol"]):
                continue
            cell = entry.cell(dataset, protocol)
            for first, cells in rows:
                same = (first.method, first.note()) == (entry.method, entry.note())
                if same and (slot, entry.metric) not in cells:
                    cells[slot, entry.metric] = cell
                    break
            else:
                rows.append((entry, {(slot, entry.metric): cell}))
    for entry, cells in sorted(rows, key=lambda row: (row[0].method.lower(), row[0].note())):
        found = (cells.get((slot, column.metric)) for slot, column in columns)
        yield Row(entry.method, tuple(found), entry.note())
