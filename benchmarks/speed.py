"""How fast training is: our engine at each rung, the usual training loop, and the floor, side by side in one run.

    python benchmarks/speed.py                       # on CUDA: 224 px, RAF-DB-sized, packed and whole runs too
    python benchmarks/speed.py --small               # on a CPU: 64 px, under eight minutes
    python benchmarks/speed.py --only "usual,graph bf16" --windows 3 --seconds 2
    python benchmarks/speed.py --only "whole runs"   # seconds of a 60-epoch run and of eight packed ones

"usual" is what the reference repositories do: a JPEG per sample through OpenCV, Pillow and torchvision in four workers
that start anew each epoch, float32, plain Adam. Every row lives in processes of its own and one works at a time; their
windows alternate. Windows in which other processes used more than a tenth of the cores are repeated and do not count
if three others do; a row that has no three quiet windows is marked "disturbed".
Writes the JSON after each round, a plot beside it, and a table to stdout.
Optional, else left out and said: uv pip install opencv-python-headless kornia matplotlib
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from speed_child import Failed, once  # noqa: E402
from speed_job import Job, cores  # noqa: E402
from speed_plot import plot  # noqa: E402
from speed_quiet import QUIET  # noqa: E402
from speed_rows import BUILD_SECONDS, Row, close_all, make_rows, summaries  # noqa: E402

RUN_SECONDS = 7200.0  # longest wait for whole runs
SMALL_FACES = 2000


def main() -> None:
    """Measure everything that was asked for and write JSON, plot and table."""
    options = parse()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit("stopped"))
    with tempfile.TemporaryDirectory(prefix="fer-speed-") as scratch:
        say("measuring what the device can do")
        found = once(Job("about", device=options.device), BUILD_SECONDS)
        complete(options, found["device"])
        base = Job("", device=options.device, size=options.size, batch=options.batch, workers=options.workers,
                   folder=f"{scratch}/faces", epochs=options.epochs)
        found["settings"] = {key: value for key, value in vars(options).items() if not isinstance(value, Path)}
        say(f"making {options.faces or 'RAF-DB-sized'} faces")
        found["faces"] = once(replace(base, kind="faces", faces=options.faces), BUILD_SECONDS)
        rows = make_rows(base, partial(wanted, options.only))
        save = partial(write, found, rows, options)
        try:
            measure_rows(rows, options, found, save)
            close_all(rows)
            whole(base, options, found, save)
        finally:
            close_all(rows)
            save()
    print(table(found))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--small", action="store_true", help=f"64 px and {SMALL_FACES} faces, no whole runs")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1 ... (default: auto)")
    add("--size", type=int, help="pixels a side (default: 224; 64 with --small)")
    add("--batch", type=int, default=32, help="images in a step (default: 32)")
    add("--workers", type=int, default=4, help="loader workers of the usual pipeline (default: 4)")
    add("--windows", type=int, default=5, help="timed windows of each row (default: 5)")
    add("--seconds", type=float, help="length of a window (default: 4 on a CPU; 3 on CUDA, in whole epochs)")
    add("--patience", type=float, default=1, help="longest wait for other work to pause before a window (default: 1)")
    add("--minutes", type=float, default=7, help="windows that others disturbed are repeated until then (default: 7)")
    add("--faces", type=int, help="training JPEGs to make (default: 12271, as RAF-DB)")
    add("--epochs", type=int, default=60, help="epochs of the whole runs (default: 60)")
    add("--only", default="", help="rows whose name holds one of these, comma-separated; also ce, nla, whole runs")
    add("--out", type=Path, default=Path(__file__).resolve().parent / "results" / "speed.json")
    return parser.parse_args()


def complete(options: argparse.Namespace, device: str) -> None:
    """Fill in the defaults that depend on --small and on the device."""
    cuda = device.startswith("cuda")
    options.device = device
    options.size = options.size or (64 if options.small else 224)
    options.seconds = options.seconds or (3.0 if cuda else 4.0)
    options.faces = options.faces or (SMALL_FACES if options.small else 0)


def wanted(only: str, name: str, method: str) -> bool:
    """Whether --only asks for this."""
    parts = [part.strip() for part in only.split(",") if part.strip()]
    return not parts or any(part == method or part in name for part in parts)


def measure_rows(rows: list[Row], options: argparse.Namespace, found: dict[str, Any], save: Callable[[], None]) -> None:
    """Build all rows, then the windows in rounds, each round beginning one row further on."""
    begun = time.perf_counter()
    together = min(cores(), 8)
    starting = sorted(rows, key=lambda row: row.leader is not None)
    for first in range(0, len(rows), together):
        for row in starting[first : first + together]:
            row.start()
        for row in starting[first : first + together]:
            row.ready()
            say(f"{row.job.method}: {row.name}: {row.reason or 'ready'}")
    for turn in range(2 * options.windows):
        start = turn % max(len(rows), 1)
        asked = [row for row in rows[start:] + rows[:start] if row.reason is None]
        if turn >= options.windows:  # again where others were at work
            asked = [row for row in asked if len(row.quiet()) < options.windows]
            if time.perf_counter() - begun > 60 * options.minutes:
                break
        for row in asked:
            row.window(options.seconds, options.patience)
            if row.reason is None:
                say(f"round {turn + 1}  {row.windows[-1]:9,.1f} images/s  {row.job.method}: {row.name}"
                    f"{remark(row.others[-1])}")
        save()


def remark(share: float | None) -> str:
    """What is said of a window in which the machine was not ours alone."""
    return f"  (others used {share:.0%} of the cores)" if share and share > QUIET else ""


def whole(base: Job, options: argparse.Namespace, found: dict[str, Any], save: Callable[[], None]) -> None:
    """On CUDA: packed runs against solo ones bit for bit, then the seconds of whole runs."""
    found["packed_equals_solo"], found["whole_runs"] = {}, {}
    if not base.device.startswith("cuda"):
        found["whole_runs"] = {"skipped": "on a CPU a run of 60 epochs takes hours, and runs are not packed there"}
        return
    engine = replace(base, engine="graph", precision="bf16", threads=1)
    for method in ("ce", "nla"):
        if wanted(options.only, "packed equals solo", method):
            found["packed_equals_solo"][method] = tried(replace(engine, kind="equal", method=method, lanes=4))
            save()
    for lanes, name in ((1, "one run"), (8, "eight packed runs")):
        if wanted(options.only, f"whole runs: {name}", "ce") and not options.small:
            found["whole_runs"][name] = tried(replace(engine, kind="runs", lanes=lanes))
            save()
    usual = [row["images_per_second"] for row in found.get("rows", []) if row["job"]["kind"] == "usual"]  # ce first
    if usual and usual[0] and found["whole_runs"]:
        found["whole_runs"]["usual pipeline, training alone, computed from its images/s"] = {
            "seconds": options.epochs * found["faces"]["train"] / usual[0]}


def tried(job: Job) -> dict[str, Any]:
    """A job's answer, or why there is none."""
    say(f"{job.kind}: {job.method}, {job.lanes} at a time")
    try:
        return once(job, RUN_SECONDS)
    except Failed as error:
        return {"failed": str(error)}


def write(found: dict[str, Any], rows: list[Row], options: argparse.Namespace) -> None:
    """Write what there is so far: the JSON, and the plot where matplotlib is installed."""
    found["rows"], found["floors"] = summaries(rows, found["ceilings"], options.size, options.batch)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    temporary = options.out.with_suffix(".part")
    temporary.write_text(json.dumps(found, indent=1) + "\n")
    os.replace(temporary, options.out)
    try:
        if rows:
            plot(found, options.out.with_suffix(".png"))
    except ImportError as error:
        found["plot"] = f"none: {error}"


def table(found: dict[str, Any]) -> str:
    """The rows as a markdown table, and the other figures under it."""
    from tabulate import tabulate

    def line(row: dict[str, Any]) -> list[str]:
        if row["images_per_second"] is None:
            return [row["method"], row["name"], f"{row['status']}: {(row['reason'] or '')[:80]}"]
        share, ratio, mark = row["share_of_floor"], row["ratio"], " (disturbed)" * row["disturbed"]
        return [row["method"], row["name"], f"{row['images_per_second']:,.0f}{mark}", f"{row['spread']:.0%}",
                f"{ratio:.2f}" if ratio else "", f"{share:.1%}" if share else "",
                f"{(row['peak_memory_bytes'] or 0) / 1e9:.2f}"]

    heads = ["method", "row", "images/s", "spread", "x usual", "of floor", "peak GB"]
    text = tabulate([line(row) for row in found["rows"]], heads, tablefmt="github", disable_numparse=True)
    rest = {key: found.get(key) for key in ("floors", "packed_equals_solo", "whole_runs")}
    return text + "\n\n" + json.dumps(rest, indent=1)


def say(line: str) -> None:
    """Progress, on stderr."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
