"""What the commands of cli do, as functions that could be called from a notebook too."""

from __future__ import annotations

import csv
import os
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from fer_bench.cluster.options import Array
from fer_bench.cluster.submit import describe_array, open_plans, submit_plans
from fer_bench.errors import UserError
from fer_bench.protocols.protocol import load_protocol
from fer_bench.runs.execute import execute
from fer_bench.runs.plan import (
    Request,
    cached_pack,
    expand,
    expand_methods,
    general_protocols,
    make_plans,
    prepared,
)
from fer_bench.runs.settings import Settings, resolve
from fer_bench.runs.spec import parse_seeds
from fer_bench.runs.store import Record, read_records

Say = Callable[[str], None]


def make_request(*, method: str, protocol: str, dataset: str, seeds: str, **rest: Any) -> Request:
    """A request from the words of the command line."""
    plugins: tuple[Path, ...] = rest.get("plugins", ())
    return Request(methods=expand_methods(method, plugins),
                   protocols=expand("protocol", protocol, general_protocols),
                   datasets=expand("dataset", dataset, lambda: ("synthetic",)),
                   seeds=tuple(parse_seeds(seeds)), **rest)


def run(request: Request, settings: Settings, *, retry: bool, dry_run: bool, say: Say,
        array: Array | None = None) -> int:
    """Do the runs of a request and print their table, or submit them. Returns the exit status: 0, 1 if some run
    did not end well, 2 if some method could not be imported."""
    store = settings.store
    plans = make_plans(request, say)
    if dry_run:
        for plan in plans:
            print(plan.spec.id, store.state(plan.spec.id), plan.spec.title)
        if array:
            print(describe_array(array, open_plans(plans, store, retry)))
        return 0
    store.check_writable()
    if array:
        return submit_plans(request, plans, settings, array, retry, say)
    counts: Counter[str] = Counter()
    if any(store.record(plan.spec.id, say) is None for plan in plans):
        counts = execute(plans, settings, retry, say)
    finished = [r for p in plans if (r := store.record(p.spec.id, say)) is not None]
    if finished:
        print_summary(finished, store.results, say)
    if counts.get("refused"):
        return 2
    return 1 if counts.get("conflict") or len(finished) + counts.get("busy", 0) < len(plans) else 0


def profile(request: Request, settings: Settings, say: Say) -> None:
    """Show where the time of each method's first run goes; no record is made."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # the profiler's own messages; it reads this when torch is imported
    from fer_bench.doctor import profiling
    from fer_bench.runs.check import loadable

    plans = loadable(list({plan.label: plan for plan in reversed(make_plans(request, say))}.values())[::-1], say)
    settings = resolve(replace(settings, jobs=1), plans)
    for plan in plans:
        profiling.show(plan, settings, say)


def print_summary(records: list[Record], results: Path, say: Say) -> None:
    """The comparison table of some records, and where they are."""
    from fer_bench.tables import make_table, render

    print(render(make_table(records, "comparison"), "markdown"))
    say(f"{len(records)} record(s) under {results / 'records'}; more tables: run_bench.py table --layout noise")


def table(results: Path, layout: str, format: str, select: str, filters: dict[str, Any], published: bool,
          out: Path | None, say: Say) -> str:
    """The text of a table, or the names of the files written."""
    from fer_bench.tables import fill_commands, make_table, render, select_records, write_tables

    names: dict[str, Any] = {key: [name.strip() for name in filters[key].split(",")]
                             for key in ("methods", "protocols", "datasets") if filters[key]}
    seeds = parse_seeds(filters["seeds"]) if filters.get("seeds") else None
    single = {key: filters.get(key) for key in ("recipe", "track", "code", "weights")}
    records = select_records(read_records(results, say), seeds=seeds, **names, **single)
    if out is not None:
        return "\n".join(str(path) for path in write_tables(records, out))
    made = make_table(records, layout, select=select, published=published)
    for command in fill_commands(made):
        say(f"missing: {command}")
    return render(made, format)


def export(protocol: str, dataset: str, root: Path | None, seed: int, cache: Path, noise_list: Path | None,
           size: int | None, say: Say) -> None:
    """Write id,given,true of a protocol's training faces to standard output."""
    rule = load_protocol(protocol)
    request = Request((), (protocol,), (dataset,), (seed,), cache, root, noise_list=noise_list, pack_size=size)
    cached_pack(dataset, root, cache, size, say)
    data = prepared(request, dataset, rule, seed)
    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(["id", "given", "true"])
    for row in zip(data.train.ids, data.train.given.tolist(), data.train.true.tolist(), strict=True):
        rows.writerow(row)


def check_data(dataset: str, root: Path | None, cache: Path, size: int | None, say: Say) -> None:
    """Print what a dataset holds."""
    from fer_bench.data.check import report

    if "," in dataset or dataset == "all":
        raise UserError(f"data check looks at one dataset at a time, found '{dataset}'")
    print(report(cached_pack(dataset, root, cache, size, say)))


def methods_in_markdown(plugins: tuple[Path, ...], results: Path, say: Say) -> str:
    """docs/methods.md: every method with its formula, cost, published numbers and what it does here."""
    from fer_bench.library.methods import methods
    from fer_bench.report.methods_page import page
    from fer_bench.tables.published import read_published

    return page(list(methods(plugins)[0].values()), read_published(), read_records(results, say))
