"""What the tests of faults share: a grid of four runs, processes forked from this one and killed for real."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tinyfolder import Place, call

from fer_bench.runs.store import Store

FORK = multiprocessing.get_context("fork")
SEEDS = 4
KEPT = {"checkpoint.pt", "previous.pt", "spec.json", "progress.json"}  # what a finished run leaves in the work folder


def undisturbed(root: Path) -> Place:
    """A place in which the grid was done once, without any fault, under "whole"."""
    torch.set_num_threads(1)
    place = Place(root, epochs=4)
    assert call(*words(place, "whole")) == 0
    return place


def words(place: Place, results: str, *more: str) -> list[str]:
    """A grid of four runs."""
    return place.words("--method", "nla", "--protocol", "noise30", "--seeds", str(SEEDS), *more, results=results)


def results_of(place: Place, name: str) -> dict[str, Any]:
    return {record["id"]: (record["result"], record["diagnosis"]) for record in place.records(name)}


def store_of(place: Place, name: str) -> Store:
    return Store(place.root / name, place.root / "work" / name)


def leftovers(place: Place, name: str) -> set[str]:
    """Files that should not be there after all runs are done."""
    store = store_of(place, name)
    found = {p.name for p in store.work.rglob("*") if p.is_file()} - KEPT
    return found | {p.name for p in store.results.rglob("*") if p.is_file() and p.suffix != ".json"}


def check_finished(place: Place, name: str) -> None:
    """The records are those of undisturbed runs, and no more files are there than declared."""
    assert results_of(place, name) == results_of(place, "whole")
    assert leftovers(place, name) == set()


def forked(function: Callable[[], Any]) -> Any:
    """Start a function in a forked process, silently."""
    def quiet() -> None:
        os.setpgid(0, 0)
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            function()

    process = FORK.Process(target=quiet)
    process.start()
    return process


def forked_status(function: Callable[[], Any]) -> int | None:
    process = forked(function)
    process.join(120)
    return process.exitcode
