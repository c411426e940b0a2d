"""One short run in several ways, compared bit for bit: python -m first_hour.repeat FILE DEVICE CACHE.

The command line itself is used, as a user would: undisturbed, interrupted and given again, packed beside other seeds,
and on CUDA with the steps called. A row is kept as it is made. Everything lies beside FILE and is made anew.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from common import ROOT
from common.tools import say, write

from fer_bench.runs.explain import compare
from fer_bench.runs.store import Store, read_records

PATIENCE = 300.0  # seconds that the first epochs of a run may take


class Runs:
    """The same run, each time with folders of its own."""

    def __init__(self, place: Path, device: str, cache: str) -> None:
        self.place, self.epochs = place, 2 if device == "cpu" else 30
        self.words = ["--method", "nla", "--protocol", "noise30", "--recipe", "quick", "--device", device, "--cache",
                      cache, "--set-recipe", f"epochs={self.epochs}"]

    def command(self, name: str, *more: str) -> list[str]:
        """The command of one way."""
        return [sys.executable, str(ROOT / "run_bench.py"), *self.words, "--results", f"{self.place / name}/results",
                "--work", f"{self.place / name}/work", *more]

    def record(self, name: str) -> dict[str, Any]:
        """The record of seed 0."""
        records = read_records(self.place / name / "results")
        return next(record for record in records if record["spec"]["seed"] == 0)

    def whole(self, name: str, *more: str) -> str:
        """Do it in one go; what is to be said of it."""
        subprocess.run(self.command(name, *more), check=True)
        return ""

    def interrupted(self, name: str) -> str:
        """Stop it after a third of its epochs, then give the same command again."""
        child = subprocess.Popen(self.command(name))
        reached = self.wait_for(child, Store(self.place / name / "results", self.place / name / "work"))
        child.send_signal(signal.SIGTERM)
        child.wait()
        if reached is None or list((self.place / name).glob("results/records/*/*.json")):
            raise RuntimeError("the run was over before it was interrupted; nothing was resumed")
        self.whole(name)
        return f"interrupted after epoch {reached} of {self.epochs}"

    def wait_for(self, child: subprocess.Popen, store: Store) -> int | None:
        """The epoch that the run has reached, a third of all or more; None if it ended before."""
        start = time.monotonic()
        while child.poll() is None and time.monotonic() - start < PATIENCE:
            for path in store.work.glob("??/*/progress.json"):
                if 3 * (epoch := int(json.loads(path.read_text())["epoch"])) >= self.epochs:
                    return epoch
            time.sleep(0.005)
        return None


def verdict(first: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Whether two records have the same result and diagnosis, else where they differ first."""
    same = all(first[part] == other[part] for part in ("result", "diagnosis"))
    return {"equal": same, "differs": [] if same else compare(first, other)[:3], "engine": other["cost"]["engine"],
            "why_not": other["cost"]["why_not_faster"], "seconds": other["cost"]["seconds"]}


def main(out: Path, device: str, cache: str) -> None:
    """Do all ways, the undisturbed one first."""
    runs, found = Runs(out.parent / "runs", device, cache), {"rows": []}
    shutil.rmtree(runs.place, ignore_errors=True)
    say("undisturbed")
    runs.whole("undisturbed")
    first = runs.record("undisturbed")
    found |= {"epochs": runs.epochs, "engine": first["cost"]["engine"], "why_not": first["cost"]["why_not_faster"],
              "overall": first["result"]["last"]["overall"], "seconds": first["cost"]["seconds"]}
    beside = 2 if device == "cpu" else 4
    ways = {"repeated": lambda: runs.whole("repeated"), "interrupted": lambda: runs.interrupted("interrupted"),
            f"packed beside {beside - 1}": lambda: runs.whole(f"packed beside {beside - 1}", "--pack", str(beside),
                                                              "--seeds", str(beside))}
    if device != "cpu":
        ways["eager"] = lambda: runs.whole("eager", "--engine", "eager")
    for name, do in ways.items():
        say(name)
        row: dict[str, Any] = {"way": name}
        try:
            row |= {"note": do(), **verdict(first, runs.record(name))}
        except (RuntimeError, StopIteration, subprocess.CalledProcessError) as error:
            row["failed"] = str(error)[:300] or type(error).__name__
        found["rows"].append(row)
        write(found, out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
