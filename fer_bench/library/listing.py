"""What there is to choose from: the command list. No torch, so it is quick."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from fer_bench.library import paper
from fer_bench.library.methods import methods
from fer_bench.library.numbers import short
from fer_bench.library.source import MethodInfo
from fer_bench.protocols.protocol import drawn_parts, load_protocol, load_recipe, protocol_names, recipe_names

KINDS = ("methods", "protocols", "datasets", "recipes")
Say = Callable[[str], None]


def show(what: str, plugins: tuple[Path, ...], say: Say) -> None:
    """Print one list or all of them."""
    console = Console(width=None if Console().is_terminal else 160)
    for kind in KINDS if what == "all" else (what,):
        make: Callable[[], Table] = {
            "methods": lambda: method_table(plugins, say), "protocols": protocol_table,
            "datasets": lambda: dataset_table(plugins), "recipes": recipe_table}[kind]
        console.print(make())


def as_json(what: str, plugins: tuple[Path, ...], say: Say) -> str:
    """One list or all of them as JSON, by kind and name, every number exact."""
    from fer_bench.data.catalog import datasets

    known, problems = methods(plugins)
    make: dict[str, Callable[[], dict[str, Any]]] = {
        "methods": lambda: {info.name: _method(info) for info in known.values()},
        "protocols": lambda: {name: load_protocol(name).model_dump(mode="json") for name in protocol_names()},
        "datasets": lambda: {info.name: {"title": info.title, "classes": info.classes, "test_set": info.test_set,
                                         "source": info.source, "options": info.options}
                             for info in datasets(plugins).values()},
        "recipes": lambda: {name: load_recipe(name).model_dump(mode="json") for name in recipe_names()}}
    for problem in problems:
        say(problem)
    return json.dumps({kind: make[kind]() for kind in (KINDS if what == "all" else (what,))}, indent=1,
                      ensure_ascii=False)


def _method(info: MethodInfo) -> dict[str, Any]:
    return {"paper": info.paper, "year": info.year, "family": info.family, "needs": info.needs,
            "passes": info.passes, "not_capturable": info.not_capturable, "schedule_epochs": info.schedule_epochs,
            "version": info.version, "parameters": info.defaults(),
            "paper_track": {"recipe": info.paper_recipe, "parameters": info.paper_parameters,
                            "sources": info.paper_sources}}


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def method_table(plugins: tuple[Path, ...], say: Say) -> Table:
    """Methods with paper, needs, cost in forward passes for each training face, and hyper-parameters."""
    table = _table("methods", "name", "paper", "year", "family", "needs", "passes", "CUDA graph",
                   "hyper-parameters (--set name=value)")
    found, problems = methods(plugins)
    first: dict[tuple[Path, str], MethodInfo] = {}
    for info in found.values():
        base = first.setdefault((info.file, info.class_name), info)
        own = {name: p.default for name, p in info.parameters.items()
               if base is info or p.default != base.parameters[name].default}
        values = ", ".join(f"{name}={short(default)}" for name, default in own.items())
        graph = f"no: {info.not_capturable}" if info.not_capturable else "yes"
        values = values if base is info else f"as {base.name}, but {values}"
        table.add_row(info.name, info.paper, str(info.year or ""), info.family, ", ".join(info.needs),
                      f"{info.passes:g}", graph, values)
    for problem in problems:
        say(problem)
    return table


def show_paper(plugins: tuple[Path, ...], say: Say) -> None:
    """Print how each method's source trains it, value by value, with where each value stands."""
    found, problems = methods(plugins)
    table = _table("track paper", "method", "key", "value", "where it stands")
    for group in paper.classes(found.values()):
        info, names = group[0], ", ".join(info.name for info in group)
        notes = [(word, "", info.paper_sources[key]) for key, word in paper.NOTES.items() if key in info.paper_sources]
        rows = [("--set " * (entry.option == "--set") + entry.key, entry.value, entry.source)
                for entry in paper.entries(info)]
        for number, row in enumerate(rows + notes if rows else ()):
            table.add_row("" if number else names, *row, end_section=number == len(rows + notes) - 1)
    Console(width=None if Console().is_terminal else 160).print(table)
    say(f"by the recipe alone, since no source has one for faces: {', '.join(paper.without(found.values()))}")
    for problem in problems:
        say(problem)


def protocol_table() -> Table:
    """Protocols with their titles, and how to have one drawn with a seed of its own."""
    table = _table("protocols", "name", "what happens to the training set")
    found = [load_protocol(name) for name in protocol_names()]
    for protocol in found:
        table.add_row(protocol.name, protocol.title)
    table.add_section()
    table.add_row("NAME_SEED", "imb20_256, noise10_1, ...: that draw of a protocol, whatever the run's seed; of "
                  + ", ".join(protocol.name for protocol in found if drawn_parts(protocol)))
    return table


def dataset_table(plugins: tuple[Path, ...]) -> Table:
    """Datasets with classes, whether they have a test set, options and where to get them."""
    from fer_bench.data.catalog import datasets

    table = _table("datasets", "name", "what", "classes", "test set", "where to get it",
                   "options (--data-option name=value)")
    for info in datasets(plugins).values():
        options = "; ".join(f"{name}={', '.join(filter(None, values)) or '…'}" for name, values in info.options.items())
        test = "yours" if info.of_a_path else "its own" if info.test_set else "by --folds"
        table.add_row(info.name, info.title, str(len(info.classes) or "any"), test, info.source, options)
    return table


def recipe_table() -> Table:
    """Recipes with the values that matter most."""
    table = _table("recipes", "name", "what", "backbone", "px", "epochs", "batch", "lr", "precision")
    for name in recipe_names():
        r = load_recipe(name)
        table.add_row(name, r.title, r.backbone, str(r.image_size), str(r.epochs), str(r.batch_size), f"{r.lr:g}",
                      r.precision)
    return table
