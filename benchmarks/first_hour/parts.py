"""The parts of the hour: what each runs, and what is read of what it wrote. Their order is that of their value."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import ROOT

from first_hour.tests import FILE

Figures = dict[str, Any]


@dataclass(frozen=True)
class Setup:
    """What the hour is done with. device: "cuda", or "cpu" in a rehearsal. work: where everything is kept."""

    device: str
    work: Path
    data_root: Path | None = None

    @property
    def small(self) -> bool:
        """Whether this is a rehearsal."""
        return self.device == "cpu"

    def folder(self, part: str) -> Path:
        """Where a part writes."""
        return self.work / "raw" / part.replace(" ", "-")


@dataclass(frozen=True)
class Part:
    """share: of the whole time, in percent. command: its words, told where to write. read: figures of what is there,
    of a part that was cut off, too. fine: exit statuses with which it has done its work."""

    name: str
    share: float
    command: Callable[[Setup, Path], list[str]]
    read: Callable[[Setup, Path], Figures]
    fine: tuple[int, ...] = (0,)

    def needs(self, setup: Setup) -> str:
        """What it lacks; "" if it can be done."""
        return "no --data-root was given" if self.name == "ferplus grid" and setup.data_root is None else ""

    def environment(self, folder: Path) -> dict[str, str]:
        """Variables of its process."""
        paths = [str(ROOT / "benchmarks"), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {"PYTHONPATH": os.pathsep.join(paths), FILE: str(folder / "tests.jsonl")}


def module(name: str) -> Callable[[Setup, Path], list[str]]:
    """The command of a part that is a module of this room."""
    return lambda setup, folder: [sys.executable, "-m", f"first_hour.{name}", str(folder / "found.json"), setup.device,
                                  str(setup.work / "cache")]


def bench(setup: Setup, place: Path, *words: str) -> list[str]:
    """A command of run_bench.py with its files under ``place``."""
    return [sys.executable, str(ROOT / "run_bench.py"), *words, "--device", setup.device, "--results",
            str(place / "results"), "--work", str(place / "work"), "--cache", str(setup.work / "cache")]


def gpu_tests(setup: Setup, folder: Path) -> list[str]:
    """The tests of a CUDA device; in a rehearsal two of their twins on the CPU."""
    twins = [f"tests/engine/test_capture.py::test_a_replayed_run_has_the_bits_of_a_called_one[{case}]"
             for case in ("ce", "nla")]
    which = twins if setup.small else ["-m", "gpu"]
    return [sys.executable, "-m", "pytest", "-q", "-p", "first_hour.tests", "-p", "no:cacheprovider", *which]


def read_tests(setup: Setup, folder: Path) -> Figures:
    """Counts, and each failed test with its first line of error."""
    rows = {row["test"]: row for row in map(json.loads, (folder / "tests.jsonl").read_text().splitlines())}
    outcomes = [row["outcome"] for row in rows.values()]
    return {**{outcome: outcomes.count(outcome) for outcome in ("passed", "failed", "skipped")},
            "failures": [{"test": row["test"].split("/")[-1], "error": row["error"]} for row in rows.values()
                         if row["outcome"] == "failed"]}


def read_doctor(setup: Setup, folder: Path) -> Figures:
    """Its text, and the lines of what is broken."""
    lines = (folder / "log.txt").read_text(errors="replace").splitlines()
    text = [line.rstrip() for line in lines if not line.startswith("measuring ")]
    def hidden(path: re.Match) -> str:  # as wide as it was, so that columns stay
        return path[0].replace(str(setup.work), "WORK").ljust(len(path[0]))

    whole = re.sub(re.escape(str(setup.work)) + r"\S*", hidden, "\n".join(text)).strip()
    return {"text": whole, "broken": [line[2:] for line in text if line.startswith("! ")]}


def speed(setup: Setup, folder: Path) -> list[str]:
    """Three windows of each row; compiled rows are left out, since they need minutes before the first one."""
    small = ["--small", "--size", "32", "--faces", "640", "--workers", "1", "--windows", "1", "--seconds", "0.3",
             "--only", "usual pipeline,eager bf16"]
    more = small if setup.small else ["--windows", "3", "--only", "usual,eager,graph"]
    return [sys.executable, str(ROOT / "benchmarks" / "speed.py"), "--device", setup.device, *more, "--out",
            str(folder / "found.json")]


def read_speed(setup: Setup, folder: Path) -> Figures:
    """Its rows without their windows, and its settings."""
    found = json.loads((folder / "found.json").read_text())
    names = ("method", "name", "status", "reason", "images_per_second", "ratio", "share_of_floor", "disturbed")
    return {"rows": [{name: row[name] for name in names} for row in found["rows"]], "settings": found["settings"],
            "ceilings": found["ceilings"]}


def read_found(setup: Setup, folder: Path) -> Figures:
    """What a module of this room has written."""
    found: Figures = json.loads((folder / "found.json").read_text())
    return found


def grid(setup: Setup, folder: Path) -> list[str]:
    """All methods, clean and with 30 % wrong labels, packed as was fastest. Its records stay under ``work``."""
    small = ["--set-recipe", "epochs=1", "--method", "ce,nla"]
    return bench(setup, setup.work, *(small if setup.small else ["--method", "all"]), "--protocol", "clean,noise30",
                 "--dataset", "ferplus8", "--data-root", str(setup.data_root), "--pack", str(best_pack(setup)))


def best_pack(setup: Setup) -> int:
    """The number of lanes that was fastest with graphs for NLA, which is nearest to most methods; 1 if not measured."""
    try:
        rows = read_found(setup, setup.folder("packing"))["rows"]
    except (OSError, ValueError):
        return 1
    rates = {row["lanes"]: row["images_per_second"] for row in rows
             if (row["method"], row["engine"]) == ("nla", "graph") and "failed" not in row}
    return max(rates, key=lambda lanes: rates[lanes], default=1)


def read_grid(setup: Setup, folder: Path) -> Figures:
    """How many runs this card has done, how, and their table."""
    import torch

    from fer_bench.engine.device import name_of
    from fer_bench.errors import UserError
    from fer_bench.runs.store import read_records
    from fer_bench.tables import make_table, render

    card = name_of(torch.device(setup.device))
    records = [r for r in read_records(setup.work / "results") if r["environment"]["device"] == card]
    try:
        table = render(make_table(records, "comparison"), "markdown") if records else ""
    except UserError as error:  # records of two versions of the code
        table = str(error)
    return {"runs": len(records), "failed": len(list((setup.work / "work").glob("??/*/error.txt"))), "table": table,
            "seconds": sum(r["cost"]["seconds"] for r in records), "pack": best_pack(setup)}


PARTS = (
    Part("gpu tests", 20, gpu_tests, read_tests, (0, 1)),
    Part("doctor", 4, lambda setup, folder: bench(setup, folder, "doctor"), read_doctor, (0, 1)),
    Part("graph against eager", 22, module("engines"), read_found),
    Part("speed", 16, speed, read_speed),
    Part("packing", 10, module("packing"), read_found),
    Part("repeatability", 8, module("repeat"), read_found),
    Part("ferplus grid", 20, grid, read_grid, (0, 1)),
)
