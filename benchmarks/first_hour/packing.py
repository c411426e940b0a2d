"""Images/s of runs that share the device: python -m first_hour.packing FILE DEVICE CACHE; a row is kept as it is made.

The runs are lanes of one process that take turns, as with ``--pack``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from common.tools import say, write

from fer_bench.doctor.section import first_line
from fer_bench.engine.lane import Lane
from fer_bench.engine.trainer import Trainer
from first_hour.steps import Run, how, losses, make, rate

METHODS = ("ce", "nla")


def ladder(method: str, engine: str, device: torch.device, cache: Path) -> list[dict[str, Any]]:
    """A row for each number of lanes; the last one says why it failed, if it did."""
    small = device.type == "cpu"
    runs: list[Run] = []
    rows: list[dict[str, Any]] = []
    for lanes in (1, 2) if small else (1, 2, 4, 8):
        found: dict[str, Any] = {"method": method, "engine": engine, "lanes": lanes}
        try:
            while len(runs) < lanes:
                runs.append(begun(method, engine, device, cache, len(runs)))
            found |= {"images_per_second": rate(runs, 0.3 if small else 3.0), "used": how(runs[-1])["engine"],
                      "why_not": how(runs[-1])["why_not"], "gb": memory(device)}
        except Exception as error:  # out of memory, too
            return [*rows, {**found, "failed": first_line(error)}]
        rows.append(found)
    return rows


def begun(method: str, engine: str, device: torch.device, cache: Path, seed: int) -> Run:
    """A run whose first steps are done: kernels are chosen and graphs recorded in them."""
    inputs, lane = make(method, device, cache, seed), Lane(device, engine)
    with lane.active():
        run = lane, Trainer(inputs, lane)
    losses(run, 3)
    return run


def memory(device: torch.device) -> float | None:
    """GB that this process has taken of the device at most."""
    return torch.cuda.max_memory_reserved(device) / 1e9 if device.type == "cuda" else None


def main(out: Path, device: torch.device, cache: Path) -> None:
    """Measure what was not measured before, each engine and method as a whole."""
    found = json.loads(out.read_text()) if out.exists() else {"rows": []}
    for method in METHODS:
        for engine in ("eager",) if device.type == "cpu" else ("graph", "eager"):
            if (method, engine) not in [(row["method"], row["engine"]) for row in found["rows"]]:
                say(f"{method}, {engine}")
                if device.type == "cuda":
                    torch.cuda.empty_cache()
                    torch.cuda.reset_peak_memory_stats(device)
                found["rows"] += ladder(method, engine, device, cache)
                write(found, out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), torch.device(sys.argv[2]), Path(sys.argv[3]))
