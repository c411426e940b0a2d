"""Records -> tables in markdown, LaTeX and CSV, and the commands that fill their holes. Start here.

The parts: records (which records), layouts (which columns), cells (which numbers), build (which rows), order (how they
are sorted), notes (which footnotes), render and latex (which bytes), published (numbers of others). docs/tables.md says
how to read a table. Nothing here imports torch.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fer_bench.errors import UserError, unknown
from fer_bench.tables.build import Grid
from fer_bench.tables.further import expanded
from fer_bench.tables.layouts import LAYOUTS, Layout
from fer_bench.tables.model import Cell, Column, Missing, Record, Row, Section, Table
from fer_bench.tables.notes import EPOCHS, footnotes, number_sources
from fer_bench.tables.order import USUAL, Order, arranged
from fer_bench.tables.published import Wanted, read_published
from fer_bench.tables.records import check_versions, dataset_of, natural, protocol_of, select_records
from fer_bench.tables.render import SUFFIXES, render

__all__ = ["LAYOUTS", "Cell", "Column", "Missing", "Order", "Record", "Row", "Section", "Table", "check_versions"]
__all__ += ["commands_of", "fill_commands", "make_table", "make_tables", "render", "select_records", "write_tables"]

ASKS = {"test-on": "--test-on DATASET", "subset": "--test-subset NAME=FILE", "corruptions": "--test-corruptions",
        "votes": "--test-votes"}
Job = tuple[tuple[str, ...], ...]  # methods, protocols, datasets, seeds, further words of one command


def make_table(records: Sequence[Record], layout: str, *, select: str = "auto", baseline: str = "ce",
               published: Wanted = "", order: Order = USUAL) -> Table:
    """One table of the records that the layout has a place for.

    `select`: the epoch, last, best (on the test set), val, or auto: val where a protocol held faces out to choose it,
    last elsewhere. `baseline`: the label that gains are over.
    `published`: add the matching rows of results/published.csv, all or those of the table's own methods. `order`:
    how rows are sorted, and which are shown. Raises UserError for no records, mixed versions, an unknown name, a run
    without validation (select="val"), several protocols in layout per-class, an order that these records cannot have.
    """
    if select not in (choices := ("auto", *EPOCHS)):
        raise unknown("epoch for --select", select, choices)
    plan = _layout(layout)
    if plan.further and select not in ("auto", "last"):
        raise UserError(f"layout {layout} with --select {select}: further tests are of the last epoch's network; "
                        "leave --select out")
    if published == "all" and not plan.published:
        raise UserError(f"layout {layout} with --published: no published number is of its kind; leave --published out")
    placed = _shown(records, plan)
    if not placed:
        raise _nothing(records, layout, plan)
    check_versions(placed)
    grid = Grid(plan, select, baseline)
    for record in placed:
        grid.add(record)
    if plan.split and len(grid.blocks) > 1:
        found = ", ".join("/".join(key) for key in grid.order)
        raise UserError(f"layout {layout} takes one protocol and dataset, found {found}: use --protocol")
    order.check(grid)
    names = {grid.baseline, *(label.split(" ")[0] for label in grid.labels())} if published == "own" else None
    entries = read_published(names) if published else []
    blocks = [part for key in grid.order for part in arranged(grid, key, grid.section(key, entries), order)]
    sections, sources = number_sources(blocks)
    shown = {row.label for section in sections for row in section.rows}
    missing = tuple(gap for gap in grid.missing() if gap.label in shown)
    notes = tuple(footnotes(grid, sections, missing, order, published) + sources)
    columns = tuple(column for _, column in grid.columns)
    lead = (*plan.lead, "family") if order.by_family else plan.lead
    return Table(plan.title, layout, select, lead, columns, tuple(sections), notes, missing)


def make_tables(records: Sequence[Record], layout: str, **how: Any) -> list[Table]:
    """Like `make_table`, but one table for each dataset and protocol where the layout holds only one."""
    groups = [list(records)]
    if _layout(layout).split and records:
        pairs = {(dataset_of(record), protocol_of(record)) for record in records}
        groups = [
            [record for record in records if (dataset_of(record), protocol_of(record)) == pair]
            for pair in sorted(pairs, key=lambda pair: [natural(name) for name in pair])
        ]
    return [make_table(group, layout, **how) for group in groups]


def _shown(records: Sequence[Record], plan: Layout) -> list[Record]:
    """The records that a layout shows, those of further tests where it is of such."""
    return _placed(expanded(records, plan.further) if plan.further else records, plan)


def _layout(name: str) -> Layout:
    if name not in LAYOUTS:
        raise unknown("layout", name, LAYOUTS)
    return LAYOUTS[name]


def _placed(records: Sequence[Record], plan: Layout) -> list[Record]:
    """The records that the layout shows; a block that has the clean column alone is none of its business."""
    places = [(record, place) for record in records if (place := plan.place(record)) is not None]
    blocks = {key for _, (key, slot) in places if slot.head != "clean"}
    return [record for record, (key, _) in places if key in blocks]


def _nothing(records: Sequence[Record], layout: str, plan: Layout) -> UserError:
    command = f"python run_bench.py --method ce --protocol {plan.example} --dataset synthetic --seeds 3"
    if not records:
        return UserError(f"no records to tabulate: look at the folder of --results, or run first: {command}")
    found = ", ".join(sorted({protocol_of(record) for record in records}, key=natural))
    if plan.further:
        return UserError(f"layout {layout}: none of the {len(records)} records has such tests; give their commands "
                         f"again with {ASKS[plan.further]}, and they are added")
    return UserError(f"layout {layout} has no column for the protocols found ({found}); run first: {command}")


def fill_commands(table: Table) -> list[str]:
    """The commands that run what the table lacks."""
    return commands_of(table.missing)


def commands_of(gaps: Iterable[Missing]) -> list[str]:
    """The commands of some runs, merged over methods, protocols and datasets.

    DIR-<dataset> and FILE-<sha256> stand for the data folder and the weights file of the other runs.
    """
    jobs: list[Job] = []
    for gap in gaps:
        method, *settings = re.split(r" (?=[A-Za-z_]\w*=)", gap.label)
        words = [word for setting in settings for word in ("--set", setting)]
        seeds = tuple(str(seed) for seed in gap.seeds)
        jobs.append(((method,), (gap.protocol,), (gap.dataset,), seeds, (*gap.options, *words)))
    for place in range(3):
        jobs = _merge(jobs, place)
    commands = []
    for *lists, more in jobs:
        named = zip(("--method", "--protocol", "--dataset", "--seeds"), lists, strict=True)
        words = [word for option, values in named for word in (option, ",".join(values))]
        if len(lists[3]) == 1:
            words[-1] += ","  # "2," is seed 2, "2" would be seeds 0 and 1
        commands.append(shlex.join(["python", "run_bench.py", *words, *more]))
    return commands


def _merge(jobs: Sequence[Job], place: int) -> list[Job]:
    """Join the jobs that differ in one place only."""
    merged: dict[Job, list[str]] = {}
    for job in jobs:
        merged.setdefault(job[:place] + job[place + 1 :], []).extend(job[place])
    return [(*rest[:place], tuple(values), *rest[place:]) for rest, values in merged.items()]


def write_tables(
    records: Sequence[Record], folder: Path, formats: Sequence[str] = ("markdown", "latex", "csv")
) -> list[Path]:
    """Write every layout that has data, published numbers too: one file for each table and format.

    The bytes depend on the records only, so that a committed folder can be compared with a fresh one.
    Returns the paths written.
    """
    if not records:
        raise _nothing(records, "comparison", LAYOUTS["comparison"])
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for layout, plan in LAYOUTS.items():
        if not _shown(records, plan):
            continue
        for table in make_tables(records, layout, published="all" if plan.published else ""):
            name = "-".join([layout, *(table.sections[0].lead if plan.split else ())])
            for kind in formats:
                path = folder / f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', name)}.{SUFFIXES[kind]}"
                path.write_text(render(table, kind), encoding="utf-8", newline="\n")
                paths.append(path)
    return paths
