"""How fast training is: our engine at each rung, the usual training loop, and the floor, side by side in one run.

    python benchmarks/speed.py                       # on CUDA: 224 px, RAF-DB-sized, packed runs too
    python benchmarks/speed.py --small               # on a CPU: 64 px, under eight minutes
    python benchmarks/speed.py --only "usual,graph bf16" --windows 3 --seconds 2

"usual" is what the reference repositories do: a JPEG per sample through OpenCV, Pillow and torchvision in four workers
that start anew each epoch, float32, plain Adam. Every row lives in processes of its own and one works at a time; their
windows alternate. Windows in which other processes used more than a tenth of the cores are repeated, until seven
minutes are over, and do not count if three others do; a row that has no three quiet windows is marked "disturbed".
Writes the JSON after each round, a plot beside it at the end, and a table to stdout.
Optional, else left out and said: uv pip install opencv-python-headless kornia
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from common.child import ask
from common.tools import parser, say, write
from speed.job import Job
from speed.plot import caption, plot
from speed.rows import Row, make_rows, ready, start, summaries

SMALL_FACES = 2000
MINUTES = 7  # windows that others disturbed are repeated until then


def main() -> None:
    """Measure everything that was asked for and write JSON, plot and table."""
    options = parse()
    os.environ.pop("OMP_NUM_THREADS", None)  # the peers have torch's default, the whole machine; ours sets one thread
    with tempfile.TemporaryDirectory(prefix="fer-speed-") as scratch:
        say("measuring what the device can do")
        found = ask("speed.floors:about", options.device)
        options.device = found["device"]
        options.seconds = options.seconds or (3.0 if options.device.startswith("cuda") else 4.0)
        base = Job("", device=options.device, size=options.size, batch=options.batch, workers=options.workers,
                   folder=f"{scratch}/faces", faces=options.faces)
        found["settings"] = {key: value for key, value in vars(options).items() if key != "out"}
        say(f"making {options.faces or 'RAF-DB-sized'} faces")
        found["faces"] = ask("speed.data:faces", base)
        rows = make_rows(base, partial(wanted, options.only))

        def save() -> None:
            found["rows"], found["floors"] = summaries(rows, found["ceilings"], options.size, options.batch)
            write(found, options.out)

        try:
            measure_rows(rows, options, save)
        finally:
            save()
    if rows:
        plot(found, options.out.with_suffix(".png"))
    print(table(found))


def parse() -> argparse.Namespace:
    """The command line."""
    made = parser(__doc__, "speed")
    add = made.add_argument
    add("--small", action="store_true", help=f"64 px and {SMALL_FACES} faces")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1 ... (default: auto)")
    add("--size", type=int, help="pixels a side (default: 224; 64 with --small)")
    add("--batch", type=int, default=32, help="images in a step (default: 32)")
    add("--workers", type=int, default=4, help="loader workers of the usual pipeline (default: 4)")
    add("--windows", type=int, default=5, help="timed windows of each row (default: 5)")
    add("--seconds", type=float, help="length of a window (default: 4 on a CPU; 3 on CUDA, in whole epochs)")
    add("--faces", type=int, help="training JPEGs to make (default: 12271, as RAF-DB)")
    add("--only", default="", help="rows whose name holds one of these, comma-separated; also ce, nla")
    options = made.parse_args()
    options.size = options.size or (64 if options.small else 224)
    options.faces = options.faces or (SMALL_FACES if options.small else 0)
    return options


def wanted(only: str, name: str, method: str) -> bool:
    """Whether --only asks for this."""
    parts = [part.strip() for part in only.split(",") if part.strip()]
    return not parts or any(part == method or part in name for part in parts)


def measure_rows(rows: list[Row], options: argparse.Namespace, save: Callable[[], None]) -> None:
    """Build all rows, then the windows in rounds, each round beginning one row further on."""
    begun = time.perf_counter()
    say("starting the processes of all rows")
    children = start(rows)
    try:
        ready(rows, children)
        for turn in range(2 * options.windows):
            again = turn >= options.windows  # where others were at work
            if again and time.perf_counter() - begun > 60 * MINUTES:
                break
            first = turn % max(len(rows), 1)
            for row in rows[first:] + rows[:first]:
                if row.reason is None and not (again and len(row.quiet()) >= options.windows):
                    row.window(children[row.crew], options.seconds)
                    say(f"round {turn + 1}  {row.job.method}: {row.name}: {row.reason or row.last()}")
            save()
    finally:
        every = [child for processes in children.values() for child in processes]
        for child in every:
            child.begin()  # all are asked to end, then awaited
        for child in every:
            child.close()


def table(found: dict[str, Any]) -> str:
    """The rows as a markdown table, and the floors under it."""
    from tabulate import tabulate

    def share(value: float | None) -> str:
        return "" if value is None else f"{value:.1%}"

    lines = [[row["method"], row["name"], caption(row), share(row["spread"]), share(row["share_of_floor"]),
              f"{(row['peak_memory_bytes'] or 0) / 1e9:.2f}"] for row in found["rows"]]
    heads = ["method", "row", "images/s, x usual", "spread", "of floor", "peak GB"]
    floors = [f"floor, {method}: {floor}" for method, floor in found["floors"].items()]
    return "\n\n".join([tabulate(lines, heads, tablefmt="github", disable_numparse=True), *floors])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit("stopped"))
    main()
