"""What is measured at one point of records, in a process that has not imported torch, as the commands have not."""

from __future__ import annotations

import contextlib
import io
from functools import partial
from pathlib import Path
from typing import Any

from fer_bench.cli import main
from fer_bench.runs.store import read_records
from fer_bench.tables import make_table, render
from scaling.made import made_records
from scaling.measured import Measured

FEW = 3000  # up to so many records a measurement is repeated


def table(some: list[dict[str, Any]]) -> str:
    """The comparison of some records."""
    return str(render(make_table(some, "comparison")))


def status(folder: Path, n: int) -> None:
    """The command ``status`` on a store of ``n`` records."""
    with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.suppress(SystemExit):
        main(["status", "--results", str(folder / "results"), "--work", str(folder / "work")])
    if f"{n} done" not in printed.getvalue():
        raise RuntimeError(f"status says {printed.getvalue()[:200]}")


def records(n: int, folder: Path) -> dict[str, Any]:
    """Read a store of ``n`` records, show its status, make the comparison table; tables of other shapes too."""
    repeats = 3 if n <= FEW else 2
    table(made_records(20, 2))  # imports
    with Measured() as measured:
        measured.time("status", partial(status, folder, n), repeats)
        before = measured.growth()
        found = measured.time("read_records", lambda: read_records(folder / "results"), 1)
        measured.megabytes["records held"] = (measured.growth() - before) / 1e6
        measured.time("table", partial(table, found), repeats)
        if len(found) != n:
            raise RuntimeError(f"{len(found)} of {n} records read")
        found.clear()  # what is alive makes Python's garbage collection dearer, and a command holds one set of records
        measured.time("read_records", lambda: len(read_records(folder / "results")), repeats)
        for name, methods in (("sections", 2), ("methods", max(2, n // 10))):
            some = made_records(n, methods)
            measured.time(f"table, more {name}", partial(table, some), repeats)
            some.clear()
    return measured.point()
