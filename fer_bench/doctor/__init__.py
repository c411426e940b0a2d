"""What this machine does fast, what each choice costs, and what is broken: the command doctor. Read ``sections``.

The modules collect sections as plain data; ``render`` alone prints. Torch may be broken, so they import it late.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from fer_bench.doctor import machine, places, speed
from fer_bench.doctor.section import Section


def show(device: str, results: Path, work: Path, cache: Path, quick: bool = False) -> int:
    """Print all sections; ``quick`` measures nothing. Returns the exit status: 1 if something needed is broken.

    Raises UserError for a device that is not here.
    """
    console = Console(width=None if Console().is_terminal else 120, markup=False, highlight=False, emoji=False)
    broken = 0
    for section in sections(device, results, work, cache, quick):
        render(section, console)
        broken += len(section.broken)
    console.print(f"{broken} to mend before runs can work: see the lines that begin with !" if broken
                  else "Nothing that runs need is broken.")
    return int(broken > 0)


def sections(device: str, results: Path, work: Path, cache: Path, quick: bool) -> Iterator[Section]:
    """The report, part by part; without torch, what can be said without it."""
    software = machine.software()
    yield software
    if not software.broken:
        from fer_bench.engine.device import choose

        chosen = choose(device)
        yield machine.processor()
        yield machine.accelerator()
        if not quick:
            yield speed.section(chosen)
            yield speed.rates(cache)
    yield places.folders(results, work, cache)
    yield places.tools()


def render(section: Section, console: Console) -> None:
    """Print a section."""
    table = Table(*section.columns, box=box.SIMPLE_HEAD if section.columns else None,
                  show_header=bool(section.columns), show_edge=False, pad_edge=False)
    for row in section.rows:
        table.add_row(*row)
    for column in table.columns:
        column.overflow = "fold"  # a path is shown whole
        column.justify = "right" if column.header in ("images/s", "x fp32") else "left"
    console.print(section.title, style="bold")
    if section.rows:
        console.print(table)
    for line in [*(f"- {text}" for text in section.notes), *(f"! {text}" for text in section.broken), ""]:
        console.print(line)
