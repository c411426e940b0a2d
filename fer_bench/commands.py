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
from fer_bench.cluster.submit import open_plans
from fer_bench.errors import UserError
from fer_bench.plan import (
    Plan,
    Request,
    cached_pack,
    expand,
    expand_methods,
    general_protocols,
    make_plans,
    prepared,
)
from fer_bench.protocol import load_protocol
from fer_bench.settings import Settings
from fer_bench.spec import parse_seeds
from fer_bench.store import Record, Store, read_records

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
    if any(_open(p, store, say) for p in plans):
        counts = execute(plans, settings, retry, say)
    finished = [r for p in plans if (r := store.record(p.spec.id, say)) is not None]
    if finished:
        print_summary(finished, store.results, say)
    if counts.get("refused"):
        return 2
    return 1 if counts.get("conflict") or len(finished) + counts.get("busy", 0) < len(plans) else 0


def execute(plans: list[Plan], settings: Settings, retry: bool, say: Say) -> Counter[str]:
    """Hand the plans to workers and show their progress; returns how many ended in which way."""
    from rich.console import Console

    from fer_bench.dispatch import run_plans, stop_on_terminate
    from fer_bench.progress import Display
    from fer_bench.worker import check_networks, loadable

    usable = loadable(plans, say)
    settings = resolve(settings, usable)
    check_networks(usable)
    for plan in usable if retry else ():
        settings.store.clear_error(plan.spec.id)
    for note in dict.fromkeys(note for p in usable for note in pack_notes(p)):
        say(note)
    display = Display(len(usable), Console(stderr=True))
    stop_on_terminate()
    with display.shown():
        run_plans(usable, settings, display.emit)
    counts = display.outcome() + Counter(refused=len(plans) - len(usable))
    if counts["busy"]:
        display.line(f"{counts['busy']} run(s) are being done by another process")
    return counts


def submit_plans(request: Request, plans: list[Plan], settings: Settings, array: Array, retry: bool,
                 say: Say) -> int:
    """Submit the open runs as one array."""
    from fer_bench.cluster.jobs import active_jobs
    from fer_bench.cluster.submit import submit

    waiting = open_plans(plans, settings.store, retry)
    for job in active_jobs(settings.store.work):
        if left := [plan for plan in waiting if plan.spec.id in job.runs]:
            say(f"{len(left)} run(s) are in {job.executor} job {job.job}, which is active: not submitted again")
            waiting = [plan for plan in waiting if plan.spec.id not in job.runs]
    if not waiting:
        states = Counter(settings.store.state(plan.spec.id) for plan in plans)
        failed = f", {states['failed']} failed (--retry failed runs them again)" if states["failed"] else ""
        say(f"nothing to submit: {states['done']} of {len(plans)} done{failed}")
        return 1 if states["failed"] else 0
    if request.plugins or request.weights not in ("none", "imagenet"):  # what is the user's own is tried here first
        from fer_bench.worker import check_networks, loadable

        check_networks(loadable(waiting, say))
    number = submit(request, waiting, settings, array, say, retry)
    print(f"{array.executor} job {number}: {describe_array(array, waiting)}")
    say(f"follow it with: run_bench.py status --results {settings.store.results} --work {settings.store.work}; end it "
        f"with: run_bench.py cancel {number} --work {settings.store.work}")
    return 0


def describe_array(array: Array, plans: list[Plan]) -> str:
    """An array in one line."""
    from fer_bench.cluster.submit import task_count

    asked = [f"{key}={value}" for key, value in array.cluster.model_dump(exclude_defaults=True).items()]
    ending = f"; each asks for {', '.join(asked)}" if asked else ""
    return f"{task_count(array, len(plans))} task(s) for {len(plans)} run(s){ending}"


def resolve(settings: Settings, plans: list[Plan]) -> Settings:
    """Put what this machine has in the place of "auto". Raises UserError for what it has not."""
    from fer_bench.dispatch import cores
    from fer_bench.engine.device import choose, choose_engine

    device, jobs = choose(settings.device), min(settings.jobs, len(plans))
    engine = choose_engine(settings.engine, device, all(plan.recipe.fast for plan in plans))
    threads = settings.threads or (cores() if jobs == 1 else 1)
    return replace(settings, device=str(device), engine=engine, jobs=jobs, threads=threads)


def profile(request: Request, settings: Settings, say: Say) -> None:
    """Show where the time of each method's first run goes; no record is made."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "3")  # the profiler's own messages; it reads this when torch is imported
    from fer_bench import profiling
    from fer_bench.worker import loadable

    plans = loadable(list({plan.label: plan for plan in reversed(make_plans(request, say))}.values())[::-1], say)
    settings = resolve(replace(settings, jobs=1, threads=settings.threads or 1), plans)
    for plan in plans:
        profiling.show(plan, settings, say)


def _open(plan: Plan, store: Store, say: Say) -> bool:
    return store.record(plan.spec.id, say) is None


def pack_notes(plan: Plan) -> tuple[str, ...]:
    """What is worth knowing of a plan's dataset, e.g. counts that differ from the official ones."""
    return cached_pack(plan.dataset, plan.request.root, plan.request.cache, plan.request.pack_size).notes


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
