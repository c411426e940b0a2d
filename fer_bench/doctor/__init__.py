"""What this machine does fast, what each choice costs, and what is broken: the command doctor. Read ``show``.

The modules collect sections as plain data; ``render`` alone prints.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from fer_bench.doctor import machine, places, speed
from fer_bench.doctor.section import Problem, Section

RIGHT = ("images/s", "x fp32")  # columns of numbers


def show(device: str, results: Path, work: Path, cache: Path, quick: bool = False) -> int:
    """Print all sections; ``quick`` measures nothing. Returns the exit status: 1 if something needed is broken.

    Raises UserError for a device that is not here.
    """
    console = Console(width=None if Console().is_terminal else 120, markup=False, highlight=False, emoji=False)
    problems: list[Problem] = []

    def put(*sections: Section) -> None:
        for section in sections:
            render(section, console)
            problems.extend(section.problems)

    twin = None if quick else early_twin(device)
    try:
        put(machine.software())
        if not problems:
            from fer_bench.engine.device import choose

            chosen = choose(device)
            put(machine.processor(), machine.accelerator())
            if not quick:
                put(speed.section(chosen, twin, progress))
    finally:
        if twin:
            twin.close()
    put(places.folders(results, work, cache), places.tools())
    broken = sum(problem.needed for problem in problems)
    console.print(f"{broken} to mend before runs can work: see the lines that begin with !" if broken
                  else "Nothing that runs need is broken.")
    return int(broken > 0)


def early_twin(device: str) -> speed.Twin | None:
    """A second process, started before anything else since importing torch takes seconds; none for a GPU."""
    cpu = device == "cpu" or (device == "auto" and not machine.nvidia_seen())
    return speed.Twin() if cpu and (os.cpu_count() or 1) > 1 else None


def render(section: Section, console: Console) -> None:
    """Print a section."""
    table = Table(box=box.SIMPLE_HEAD if section.columns else None, show_header=bool(section.columns),
                  show_edge=False, pad_edge=False)
    for name in section.columns or [""] * max(map(len, section.rows), default=0):
        table.add_column(name, overflow="fold", justify="right" if name in RIGHT else "left")
    for row in section.rows:
        table.add_row(*row)
    console.print(section.title, style="bold")
    if section.rows:
        console.print(table)
    for line in [*(f"- {text}" for text in section.advice), *(f"! {problem.text}" for problem in section.problems)]:
        console.print(line)
    console.print()


def progress(line: str) -> None:
    """A line on standard error; on a terminal the next one takes its place, and "" wipes it."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
    elif line:
        print(line, file=sys.stderr, flush=True)
