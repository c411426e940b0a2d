"""Time and memory against images, classes, image size, packed runs and records; and training on AffectNet's size.

    python benchmarks/scaling.py                            # 11 to 13 minutes, 9 or more AffectNet's; 12 GB of disk
    python benchmarks/scaling.py --small                    # under a minute
    python benchmarks/scaling.py --only images,records --out /tmp/scaling.json
    python benchmarks/scaling.py --only affectnet --scratch /data/tmp --epoch-seconds 0

The claim: nothing grows faster than it must. log(time) is fitted against log(n) over the upper half of the sizes; the
exit status is 1 if an exponent exceeds its limit (1.15 for what may be linear, 1.0 for what must be below it, as in the
number of classes, 0.15 for what must stay: seconds of a step against images, of the same runs against lanes), if a
part fails, or if 283,901 faces of 112 px (10.7 GB) cannot be trained on from the file within 8 GB of memory.
Seconds are processor seconds of one thread (neighbours do not count), those of AffectNet wall seconds; megabytes are
growth of RssAnon, each point in a process of its own. The memory limit is a cgroup inside this process's own one, where
that may be made. Writes the JSON after each point, at the end log-log panels beside it and a table to stdout.
Optional, for the panels: uv pip install matplotlib
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from scaling_child import Failed, ask  # noqa: E402
from scaling_fit import verdicts  # noqa: E402
from scaling_memory import Group, limited  # noqa: E402
from scaling_report import plot, table, write  # noqa: E402

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


def main(words: Sequence[str] | None = None, sizes: Sizes | None = None) -> int:
    """Measure what was asked for; returns the exit status. ``sizes`` replaces the sizes of parts, for tests."""
    options = parse(words)
    chosen = {**(SMALL if options.small else SIZES), **(sizes or {})}
    settings = {key: str(value) for key, value in vars(options).items() if key not in ("out", "scratch")}
    found: dict[str, Any] = {**ask("scaling_parts:about"), "settings": settings,
                             "load_average": [os.getloadavg()[0]], "points": [], "affectnet": None}
    begun = time.perf_counter()

    def keep() -> None:
        found["exponents"], found["seconds"] = verdicts(found["points"]), time.perf_counter() - begun
        write(found, options.out)

    with tempfile.TemporaryDirectory(prefix="fer-scaling-", dir=options.scratch) as scratch:
        for part in options.only:
            if part == "affectnet":
                say("affectnet: writing the faces")
                found["affectnet"] = affectnet(Path(scratch), options.small, options.epoch_seconds)
                keep()
            for n in chosen.get(part, ()):
                found["points"].append(point(part, n, Path(scratch), options.small, max(chosen[part])))
                say(line(found["points"][-1]))
                keep()
    found["load_average"].append(os.getloadavg()[0])
    keep()
    try:
        plot(found, options.out.with_suffix(".png"))
    except ImportError:
        say("no panels: matplotlib is not installed")
    print(table(found))
    return 0 if passed(found) else 1


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--only", default=",".join(PARTS), help=f"parts, comma-separated, of {', '.join(PARTS)} (default: all)")
    add("--small", action="store_true", help="smaller sizes; AffectNet with 12,000 faces and 1 GB")
    add("--scratch", type=Path, help="folder on a disk for the made-up faces, 12 GB (default: the temporary folder)")
    add("--epoch-seconds", type=float, default=900.0,
        help="longest that AffectNet's batches may take; 0: as long as they need (default: 900)")
    add("--out", type=Path, help="JSON to write (default: results/scaling.json here, scaling-small.json if --small)")
    options = parser.parse_args(words)
    options.only = [part.strip() for part in options.only.split(",") if part.strip()]
    for part in options.only:
        if part not in PARTS:
            parser.error(f"--only {part}: no such part; choose from {', '.join(PARTS)}")
    name = "scaling-small.json" if options.small else "scaling.json"
    options.out = options.out or Path(__file__).resolve().parent / "results" / name
    return options


def point(part: str, n: int, scratch: Path, small: bool, largest: int) -> dict[str, Any]:
    """One measurement, its files made before and removed afterwards."""
    folder = scratch / f"{part}{n}"
    made: dict[str, Any] = {
        "images": {"train": n, "classes": CLASSES}, "classes": {"train": CLASS_FACES[small], "classes": n},
        "size": {"train": SIZE_FACES, "classes": CLASSES}}
    module = "scaling_records" if part == "records" else "scaling_parts"
    found: dict[str, Any] = {"part": part, "n": n, "x": n * n if part == "size" else n}
    try:
        if part in made:
            found["bytes"] = ask("scaling_made:write_faces", light=True, folder=folder, test=TEST_FACES, side=SIDE,
                                 channels=1, **made[part])
        if part == "records":
            found["bytes"] = ask("scaling_records:store", light=True, n=n, folder=folder)
        more: dict[str, Any] = {"runs": largest} if part == "pack" else {}
        found |= ask(f"{module}:{part}", light=part == "records", n=n, folder=folder, **more)
        return found
    except Failed as error:
        return found | {"failed": str(error)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def affectnet(scratch: Path, small: bool, deadline: float) -> dict[str, Any]:
    """AffectNet's size in a child of limited memory, or why it could not be done."""
    train, test, steps, allowed = AFFECTNET[small]
    folder, needed = scratch / "affectnet", (train + test) * FACE_BYTES
    if shutil.disk_usage(scratch).free < 1.1 * needed:
        return {"failed": f"{scratch} has no room for {needed / 1e9:.1f} GB; give --scratch another folder"}
    if in_memory(scratch):
        return {"failed": f"{scratch} lies in memory, not on a disk; give --scratch another folder"}
    try:
        start = time.perf_counter()
        size = ask("scaling_made:write_faces", light=True, folder=folder, train=train, test=test, side=112,
                   channels=3, classes=8, forget=True)
        made = time.perf_counter() - start
        say(f"affectnet: {size / 1e9:.2f} GB written in {made:.0f} s")
        with limited(allowed) as group:
            found = {"bytes of faces": size, "seconds of writing": made, "bytes allowed": allowed if group else None}
            return found | in_group(group, folder, steps, deadline)
    except Failed as error:
        return {"failed": str(error)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def in_group(group: Group | None, folder: Path, steps: int, deadline: float) -> dict[str, Any]:
    """Run the child in the group, and read what the group counted whether the child lived or not."""
    try:
        found = ask("scaling_affectnet:affectnet", light=True, group=group, folder=folder, steps=steps,
                    deadline=deadline, watched=group)
    except Failed as error:
        found = {"failed": str(error)}
    counted = {"max_usage_in_bytes": group.read("peak"), "failcnt": group.failures()} if group else {}
    return {**found, "cgroup": counted}


def in_memory(folder: Path) -> bool:
    """Whether a folder's files take memory (tmpfs), which no limit could reclaim."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return False
    own = str(folder.resolve()) + "/"
    above = [(len(place), kind) for place, kind in mounts if own.startswith(place.rstrip("/") + "/")]
    return bool(above) and max(above, key=lambda found: found[0])[1] in ("tmpfs", "ramfs")


def passed(found: dict[str, Any]) -> bool:
    """Whether every part did its work, no exponent is above its limit, all of AffectNet was seen and none copied."""
    large = found["affectnet"]
    whole = large is None or (large.get("whole epoch", False) and not large["imb50"]["copied"])
    return (whole and not any("failed" in p for p in found["points"])
            and all(row["ok"] is not False for row in found["exponents"]))


def line(found: dict[str, Any]) -> str:
    """One point, for the eye."""
    if "failed" in found:
        return f"{found['part']} {found['n']:,}: {found['failed']}"
    numbers = [f"{name} {value:.4g} s" for name, value in found["seconds"].items()]
    numbers += [f"{name} {value:.1f} MB" for name, value in found["megabytes"].items()]
    return f"{found['part']} {found['n']:,}: {', '.join(numbers)}"


def say(text: str) -> None:
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit("stopped"))
    sys.exit(main())
