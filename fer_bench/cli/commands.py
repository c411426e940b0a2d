"""What the commands of cli do, as functions that could be called from a notebook too."""

from __future__ import annotations

import csv
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tabulate import tabulate

from fer_bench.cluster.options import Array
from fer_bench.cluster.submit import describe_array, open_plans, submit_plans, task_count
from fer_bench.runs.execute import execute
from fer_bench.runs.faces import pack_of, prepared, protocol_notes
from fer_bench.runs.outcomes import open_tests, with_outcomes
from fer_bench.runs.plan import Plan, make_plans
from fer_bench.runs.request import Request, expand, expand_methods, general_protocols, load_protocols
from fer_bench.runs.settings import Settings, resolve
from fer_bench.runs.spec import parse_seeds
from fer_bench.runs.store import Record, Store, read_records
from fer_bench.runs.test_faces import keep_all

Say = Callable[[str], None]


def make_request(*, method: str, protocol: str, dataset: str, seeds: str, **rest: Any) -> Request:
    """A request from the words of the command line."""
    plugins: tuple[Path, ...] = rest.get("plugins", ())
    return Request(methods=expand_methods(method, plugins),
                   protocols=expand("protocol", protocol, general_protocols),
                   datasets=expand("dataset", dataset, lambda: ("synthetic",)),
                   seeds=tuple(parse_seeds(seeds)), **rest)


def dry_run(request: Request, settings: Settings, *, retry: bool, card: str | None, say: Say,
            array: Array | None = None) -> None:
    """List the runs of a request with their states, and say what those that are left will take."""
    from fer_bench.estimate import page
    from fer_bench.estimate.cards import find_card
    from fer_bench.runs.check import check_networks, check_parameters

    target = find_card(card) if card else None
    plans = make_plans(request, say)
    for plan in plans:
        tests = len(open_tests(settings.store.results, plan))
        print(plan.spec.id, settings.store.state(plan.spec.id), plan.spec.title, f"+ {tests} tests" if tests else "")
    left = open_plans(plans, settings.store, retry)
    if array:
        print(describe_array(array, left))
    if not left:
        return
    check_networks(left)
    check_parameters(left)
    with counting() as progress:
        here = page.card_here(settings.device)
        lines = page.estimate(left, request.cache, settings.engine, here, target, say, progress)
    print()  # the list ends here, for whoever reads it by a program
    print(tabulate(page.rows(lines, target), headers="firstrow", disable_numparse=True))
    for line in page.whole(lines, here, target, settings.jobs):
        print(line)
    if target:
        for line in page.too_large(lines, target.memory, target.title, settings.pack) + page.most_lanes(lines, target):
            print(line)
        if array and any(line.there is not None for line in lines):
            print(page.time_limit(lines, task_count(array, len(left))))


@contextmanager
def counting() -> Iterator[Callable[[int, int], None]]:
    """A bar for methods that are being counted; gone when they are."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("counting", visible=False)
        yield lambda done, of: bar.update(task, completed=done, total=of, visible=True)


def run(request: Request, settings: Settings, *, retry: bool, say: Say, array: Array | None = None) -> int:
    """Do the runs of a request and print their table, or submit them. Returns the exit status: 0, 1 if some run
    did not end well, 2 if some method could not be imported."""
    store = settings.store
    plans = make_plans(request, say)
    store.check_writable()
    if array:
        return submit_plans(request, plans, settings, array, retry, say)
    counts: Counter[str] = Counter()
    if left := [p for p in plans if store.record(p.spec.id, say) is None or open_tests(store.results, p)]:
        if settings.device != "cpu":
            warn_of_memory(left, request.cache, settings, say)
        counts = execute(plans, settings, retry, say)
    keep_all(store, plans, say)
    finished = [r for p in plans if (r := store.record(p.spec.id, say)) is not None]
    if finished:
        print_summary(request, finished, store, say)
    if counts.get("refused"):
        return 2
    return 1 if counts.get("conflict") or len(finished) + counts.get("busy", 0) < len(plans) else 0


def warn_of_memory(plans: list[Plan], cache: Path, settings: Settings, say: Say) -> None:
    """Say before the first run what will not fit into the GPU that is here, if one is; an estimate stops no run.

    Raises UserError for a device or a way of running that is not here.
    """
    settings = resolve(settings, plans)
    if not settings.device.startswith("cuda"):
        return
    import torch

    from fer_bench.estimate import page

    at_once = settings.pack * -(-settings.jobs // (torch.cuda.device_count() if settings.device == "cuda" else 1))
    try:
        card = page.card_here(settings.device)
        lines = page.estimate(plans, cache, settings.engine, card, None, say)
        for line in page.too_large(lines, card.memory, card.title, at_once) if card else ():
            say(line)
    except Exception as error:  # pretending a GPU beside a real one has not been tried
        say(f"memory was not estimated ({type(error).__name__}: {str(error)[:100]})")


def profile(request: Request, settings: Settings, say: Say) -> None:
    """Show where the time of each method's first run goes; no record is made."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # the profiler's own messages; it reads this when torch is imported
    from fer_bench.doctor import profiling
    from fer_bench.runs.check import check_parameters, loadable

    plans = loadable(list({plan.label: plan for plan in reversed(make_plans(request, say))}.values())[::-1], say)
    check_parameters(plans)
    settings = resolve(replace(settings, jobs=1), plans)
    for plan in plans:
        profiling.show(plan, settings, say)


def print_summary(request: Request, records: list[Record], store: Store, say: Say) -> None:
    """The comparison table of some records beside the published numbers of their methods, those of their further tests,
    and where they are.

    A method that has a `-released` twin stands beside it, where that has been run in the same way.
    """
    from fer_bench.library.methods import methods, with_released
    from fer_bench.tables import make_table, render

    twins = [name for name in with_released(request.methods, methods(request.plugins)[0])
             if name not in request.methods]
    made = make_plans(replace(request, methods=tuple(twins)), lambda _: None) if twins else []
    also = [r for plan in made if (r := store.record(plan.spec.id, say)) is not None]
    print(render(make_table(records + also, "comparison", published="own"), "markdown"))
    print_further(request, with_outcomes(records, store.results, say))
    if twins and not also:
        say(f"{', '.join(twins)}: not run here; add it to --method to see what the public code does")
    say(f"{len(records)} record(s) under {store.results / 'records'}; more tables: run_bench.py table --layout noise")


def print_further(request: Request, records: list[Record]) -> None:
    """The tables of the further tests that were asked for."""
    from fer_bench.tables import LAYOUTS, make_table, render

    asked = {"test-on": request.test_on, "subset": request.test_subsets, "corruptions": request.test_corruptions,
             "votes": request.test_votes}
    there = {test["kind"] for record in records for test in record.get("further", ())}
    for name, layout in LAYOUTS.items():
        if asked.get(layout.further) and layout.further in there:
            print("\n" + render(make_table(records, name), "markdown"))


def export(request: Request, say: Say) -> None:
    """Write id,given,true of a protocol's training faces to standard output."""
    (part,), (seed,) = request.parts(), request.seeds
    rule = load_protocols(request)[0]
    pack_of(request, part, seed, say)
    data = prepared(request, part, rule, seed)
    for note in protocol_notes(rule, part.dataset.name, data):
        say(note)
    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(["id", "given", "true"])
    for row in zip(data.train.ids, data.train.given.tolist(), data.train.true.tolist(), strict=True):
        rows.writerow(row)


def scores(request: Request, settings: Settings, out: Path | None, say: Say) -> None:
    """Make the score table of a request if it is not there; print its place and what 30 % of flips would be."""
    from rich.console import Console

    from fer_bench.engine.metrics import confusion_matrix
    from fer_bench.protocols.instance_noise import instance_noise
    from fer_bench.protocols.scores import read_scores
    from fer_bench.runs.progress import Display
    from fer_bench.runs.reference import FOLDS, make_scores

    display = Display(FOLDS, Console(stderr=True))
    with display.shown():
        path = make_scores(request, settings, out, display.emit, say)
    made, train = read_scores(path), pack_of(request, request.parts()[0], request.seeds[0]).train
    given = instance_noise(train.ids, train.labels, made.of(train.ids, made.classes), 0.3)
    changed = given != train.labels
    flips = confusion_matrix(train.labels[changed], given[changed], len(made.classes))
    print(f"{path}: {len(made.ids)} faces, {100 * made.about['overall']:.2f} % right out of fold, sha256 {made.digest}")
    print("Labels that 30 % would change, from (row) and to (column):\n")
    print(tabulate([[name, *row] for name, row in zip(made.classes, flips.tolist(), strict=True)],
                   headers=["", *made.classes]))


def methods_in_markdown(plugins: tuple[Path, ...], results: Path, say: Say) -> str:
    """docs/methods.md: every method with its formula, cost, published numbers and what it does here."""
    from fer_bench.library.methods import methods
    from fer_bench.report.methods_page import page
    from fer_bench.tables.published import read_published

    return page(list(methods(plugins)[0].values()), read_published(), read_records(results, say))


def paper_in_markdown(plugins: tuple[Path, ...], say: Say) -> str:
    """docs/paper-recipes.md: how each method's source trains it."""
    from fer_bench.library.methods import methods
    from fer_bench.report.paper_page import page

    found, problems = methods(plugins)
    for problem in problems:
        say(problem)
    return page(list(found.values()))
