"""What there is to choose from, and where runs stand: the commands list and status. No torch, so they are quick."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from fer_bench.method_source import MethodInfo
from fer_bench.protocol import load_protocol, load_recipe, protocol_names, recipe_names
from fer_bench.registry import methods
from fer_bench.store import Store, read_records

KINDS = ("methods", "protocols", "datasets", "recipes")
Say = Callable[[str], None]


def show(what: str, plugins: tuple[Path, ...], say: Say) -> None:
    """Print one list or all of them."""
    console = Console(width=None if Console().is_terminal else 160)
    for kind in KINDS if what == "all" else (what,):
        table = {"methods": method_table, "protocols": protocol_table, "datasets": dataset_table,
                 "recipes": recipe_table}[kind]
        console.print(table(plugins, say) if kind == "methods" else table())  # type: ignore[operator]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def method_table(plugins: tuple[Path, ...], say: Say) -> Table:
    """Methods with paper and hyper-parameters."""
    table = _table("methods", "name", "paper", "family", "CUDA graph", "hyper-parameters (--set name=value)")
    found, problems = methods(plugins)
    first: dict[tuple[Path, str], MethodInfo] = {}
    for info in found.values():
        base = first.setdefault((info.file, info.class_name), info)
        own = {name: p.default for name, p in info.parameters.items()
               if base is info or p.default != base.parameters[name].default}
        values = ", ".join(f"{name}={default}" for name, default in own.items())
        graph = f"no: {info.not_capturable}" if info.not_capturable else "yes"
        values = values if base is info else f"as {base.name}, but {values}"
        table.add_row(info.name, info.paper, info.family, graph, values)
    for problem in problems:
        say(problem)
    return table


def protocol_table() -> Table:
    """Protocols with their titles."""
    table = _table("protocols", "name", "what happens to the training set")
    for name in protocol_names():
        table.add_row(name, load_protocol(name).title)
    return table


def dataset_table() -> Table:
    """Datasets with classes and where to get them."""
    from fer_bench.data.catalog import DATASETS

    table = _table("datasets", "name", "what", "classes", "where to get it")
    for info in DATASETS.values():
        table.add_row(info.name, info.title, str(len(info.classes) or "any"), info.source)
    return table


def recipe_table() -> Table:
    """Recipes with the values that matter most."""
    table = _table("recipes", "name", "what", "backbone", "px", "epochs", "batch", "lr", "precision")
    for name in recipe_names():
        r = load_recipe(name)
        table.add_row(name, r.title, r.backbone, str(r.image_size), str(r.epochs), str(r.batch_size), f"{r.lr:g}",
                      r.precision)
    return table


def show_status(results: Path, work: Path, say: Say) -> None:
    """Print counts of runs by state, and the first line of each failure."""
    store = Store(results, work)
    records = read_records(results, say)
    runs = {record["id"] for record in records} | {p.name for p in work.glob("??/*") if p.is_dir()}
    states = {run: store.state(run) for run in sorted(runs)}
    counts = Counter(states.values())
    print(", ".join(f"{counts[state]} {state}" for state in ("done", "running", "lost", "failed") if counts[state])
          or f"no runs under {results} and {work}")
    for run, state in states.items():
        if state == "failed":
            print(f"{run} failed: {store.error(run)}")
    grid = Counter((r["label"], r["spec"]["dataset"]["name"], r["spec"]["protocol"]["name"]) for r in records)
    if grid:
        table = _table("records", "method", "dataset", "protocol", "seeds")
        for (label, dataset, protocol), seeds in sorted(grid.items()):
            table.add_row(label, dataset, protocol, str(seeds))
        Console().print(table)
