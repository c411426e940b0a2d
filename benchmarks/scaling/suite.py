"""The points of the scaling benchmark, one process at a time, and AffectNet's size in one of limited memory.

Imports no torch: every child begins by importing this, and one of them measures commands that do without it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import RESULTS
from common.child import Failed, ask
from common.tools import parser, say, write

from scaling.fit import verdicts
from scaling.limit import limited
from scaling.report import line, plot, table

Sizes = dict[str, tuple[int, ...]]
SIZES: Sizes = {"images": (1000, 3000, 10_000, 30_000, 100_000, 300_000), "classes": (2, 7, 30, 100, 300),
                "size": (32, 48, 64, 96, 128, 224), "pack": (1, 2, 4, 8), "records": (100, 300, 1000, 3000, 10_000)}
SMALL: Sizes = {"images": (1000, 3000, 10_000), "classes": (2, 10, 50), "size": (32, 48, 64), "pack": (1, 2),
                "records": (100, 300, 1000)}
PARTS = (*SIZES, "affectnet")
CLASSES, SIDE = 7, 48
TEST_FACES = 256  # one batch of evaluation
CLASS_FACES = {False: 30_000, True: 6000}  # training faces of part classes; of True: with --small
SIZE_FACES = 1024  # of part size
AFFECTNET = {False: (283_901, 3500, 100, 8 << 30), True: (12_000, 500, 30, 1 << 30)}  # faces, test, steps, bytes
FACE_BYTES = 112 * 112 * 3


def main(words: Sequence[str] | None = None, sizes: Sizes | None = None, doc: str | None = None) -> int:
    """Measure what was asked for; returns the exit status. ``sizes`` replaces the sizes of parts, for tests."""
    options = parse(words, doc)
    chosen = {**(SMALL if options.small else SIZES), **(sizes or {})}
    settings = {key: str(value) for key, value in vars(options).items() if key not in ("out", "scratch")}
    found: dict[str, Any] = {**ask("common.tools:about", "cpu", 1), "settings": settings, "points": [],
                             "affectnet": None}
    begun = time.perf_counter()

    def keep() -> None:
        found["exponents"], found["seconds"] = verdicts(found["points"]), time.perf_counter() - begun
        write(found, options.out)

    with tempfile.TemporaryDirectory(prefix="fer-scaling-", dir=options.scratch) as scratch:
        for part in options.only:
            if part == "affectnet":
                found["affectnet"] = affectnet(Path(scratch), options.small, options.epoch_seconds)
                keep()
            for n in chosen.get(part, ()):
                found["points"].append(point(part, n, Path(scratch), options.small, max(chosen[part])))
                say(line(found["points"][-1]))
                keep()
    plot(found, options.out.with_suffix(".png"))
    print(table(found))
    return 0 if passed(found) else 1


def parse(words: Sequence[str] | None, doc: str | None = None) -> argparse.Namespace:
    """The command line."""
    made = parser(doc)
    add = made.add_argument
    add("--only", default=",".join(PARTS), help=f"parts, comma-separated, of {', '.join(PARTS)} (default: all)")
    add("--small", action="store_true", help="smaller sizes; AffectNet with 12,000 faces and 1 GB")
    add("--scratch", type=Path, help="folder on a disk for the made-up faces, 12 GB (default: the temporary folder)")
    add("--epoch-seconds", type=float, default=900.0,
        help="longest that AffectNet's batches may take; 0: as long as they need (default: 900)")
    add("--out", type=Path, help="JSON to write (default: results/scaling.json here, scaling-small.json if --small)")
    options = made.parse_args(words)
    options.only = [part.strip() for part in options.only.split(",") if part.strip()]
    for part in options.only:
        if part not in PARTS:
            made.error(f"--only {part}: no such part; choose from {', '.join(PARTS)}")
    options.out = options.out or RESULTS / ("scaling-small.json" if options.small else "scaling.json")
    return options


def point(part: str, n: int, scratch: Path, small: bool, largest: int) -> dict[str, Any]:
    """One measurement, its files made before and removed afterwards."""
    folder = scratch / f"{part}{n}"
    faces = {"images": (n, CLASSES), "classes": (CLASS_FACES[small], n), "size": (SIZE_FACES, CLASSES)}
    found: dict[str, Any] = {"part": part, "n": n, "x": n * n if part == "size" else n}
    try:
        if part in faces:
            train, classes = faces[part]
            found["bytes"] = ask("scaling.made:write_faces", folder, train, TEST_FACES, SIDE, 1, classes)
        if part == "records":
            found["bytes"] = ask("scaling.made:store", folder, n)
        module = "records" if part == "records" else "parts"
        return found | ask(f"scaling.{module}:{part}", n, folder, *([largest] if part == "pack" else []))
    except Failed as error:
        return found | {"failed": str(error)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def affectnet(scratch: Path, small: bool, deadline: float) -> dict[str, Any]:
    """AffectNet's size in a child of limited memory, or why it could not be done."""
    train, test, steps, allowed = AFFECTNET[small]
    folder, needed = scratch / "affectnet", (train + test) * FACE_BYTES
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(scratch)], capture_output=True, text=True).stdout.strip()
    if kind in ("tmpfs", "ramfs"):  # which no limit could reclaim
        return {"failed": f"{scratch} lies in memory, not on a disk; give --scratch another folder"}
    if shutil.disk_usage(scratch).free < 1.1 * needed:
        return {"failed": f"{scratch} has no room for {needed / 1e9:.1f} GB; give --scratch another folder"}
    found: dict[str, Any] = {"bytes of faces": needed}
    try:
        say(f"affectnet: writing {needed / 1e9:.2f} GB of faces, then training")
        ask("scaling.made:write_faces", folder, train, test, 112, 3, 8, True)
        with limited(allowed) as group:
            found |= {"limited": group is not None, "bytes allowed": allowed if group else None}
            try:
                found |= ask("scaling.limit:inside", group, "scaling.affectnet:affectnet", folder, steps, deadline)
            finally:  # whether the child lived or not
                found["cgroup"] = {"max_usage_in_bytes": group.read("peak")} if group else {}
    except Failed as error:
        found["failed"] = str(error)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found


def passed(found: dict[str, Any]) -> bool:
    """Whether every part did its work, no exponent is above its limit, all of AffectNet was seen and none copied."""
    large = found["affectnet"]
    whole = large is None or (large.get("whole epoch", False) and not large["imb50"]["copied"])
    return (whole and not any("failed" in p for p in found["points"])
            and all(row["ok"] is not False for row in found["exponents"]))
