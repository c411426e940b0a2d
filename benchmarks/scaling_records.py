"""What is measured at one point of records, in a process that has not imported torch, as the commands have not."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

from scaling_made import made_records, write_records
from scaling_measure import Measured
from scaling_memory import Memory

from fer_bench.cli import main
from fer_bench.runs.store import read_records
from fer_bench.tables import make_table, render

FEW = 3000  # up to so many records a measurement is repeated


def store(n: int, folder: Path) -> int:
    """``n`` records of realistic size under ``folder``, methods and sections growing alike; returns their bytes."""
    methods = max(2, round((n / 5) ** 0.5))
    return write_records(folder / "results", folder / "work", made_records(n, methods, full=True))


def records(n: int, folder: Path) -> dict[str, Any]:
    """Read a store of ``n`` records, show its status, make the comparison table; tables of other shapes too."""

    def table(some: list[dict[str, Any]]) -> str:
        return render(make_table(some, "comparison"))

    def status() -> None:
        words = ["status", "--results", str(folder / "results"), "--work", str(folder / "work")]
        with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.suppress(SystemExit):
            main(words)
        if f"{n} done" not in printed.getvalue():
            raise RuntimeError(f"status says {printed.getvalue()[:200]}")

    measured, repeats = Measured(), 3 if n <= FEW else 2
    table(made_records(20, 2))  # imports
    measured.time("status", status, repeats)
    with Memory() as memory:
        found = measured.time("read_records", lambda: read_records(folder / "results"), 1)
        measured.megabytes["records held"] = memory.growth() / 1e6
    measured.time("table", lambda: table(found), repeats)
    if len(found) != n:
        raise RuntimeError(f"{len(found)} of {n} records read")
    found.clear()  # what is alive makes Python's garbage collection dearer, and a command holds one set of records
    measured.time("read_records", lambda: len(read_records(folder / "results")), repeats)
    for name, methods in (("sections", 2), ("methods", max(2, n // 10))):
        some = made_records(n, methods)
        measured.time(f"table, more {name}", lambda some=some: table(some), repeats)  # type: ignore[misc]
        some.clear()
    return measured.point()
