"""Graph against eager for every method: python -m first_hour.engines FILE DEVICE CACHE; a row is kept as it is made."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from common.tools import say, write

from fer_bench.doctor.section import first_line
from fer_bench.engine.capture import Recorder
from fer_bench.engine.inputs import Inputs
from fer_bench.engine.lane import Lane
from fer_bench.engine.trainer import Trainer
from fer_bench.library.methods import methods
from first_hour.steps import how, losses, make, rate

NO_CUDA = "no CUDA device"


def measure(inputs: Inputs, device: torch.device, engine: str, steps: int, seconds: float,
            record: Recorder | None = None) -> dict[str, Any]:
    """The first losses of a run with an engine, and then its images/s; or how it failed."""
    lane = Lane(device, engine, record)
    try:
        with lane.active():
            run = lane, Trainer(inputs, lane)
        first = losses(run, steps).tolist()
        return {"losses": first, "images_per_second": rate([run], seconds), **how(run)}
    except Exception as error:  # whatever a method or a driver may raise: the other methods are measured all the same
        return {"failed": first_line(error)}


def compared(name: str, eager: dict[str, Any], graph: dict[str, Any]) -> dict[str, Any]:
    """The row of a method. equal: whether all losses have the same bits; None if that cannot be said."""
    one, other = eager.pop("losses", None), graph.pop("losses", None)
    used = graph.get("engine") == "graph" and bool(one) and bool(other)
    # repr, since NaN is like itself here
    apart = [step for step, pair in enumerate(zip(one, other, strict=True), 1) if repr(pair[0]) != repr(pair[1])
             ] if used else []
    both = used and {"speedup": graph["images_per_second"] / eager["images_per_second"]}
    return {"method": name, "eager": eager, "graph": graph, "equal": not apart if used else None,
            "steps": len(one or ()), "differs_at": apart[0] if apart else None, **(both or {})}


def row(name: str, device: torch.device, cache: Path, steps: int, seconds: float) -> dict[str, Any]:
    """One method in both ways."""
    try:
        inputs = make(name, device, cache)
    except Exception as error:
        return compared(name, {"failed": first_line(error)}, {"failed": first_line(error)})
    eager = measure(inputs, device, "eager", steps, seconds)
    graph = (measure(inputs, device, "graph", steps, seconds) if device.type == "cuda"
             else {"engine": None, "why_not": NO_CUDA})
    return compared(name, eager, graph)


def main(out: Path, device: torch.device, cache: Path) -> None:
    """Measure what was not measured before."""
    small = device.type == "cpu"
    names = ["ce", "nla"] if small else list(methods(())[0])
    found = json.loads(out.read_text()) if out.exists() else {"rows": []}
    found |= {"of": len(names), "recipe": "quick" if small else "paper"}
    for name in names:
        if name not in [done["method"] for done in found["rows"]]:
            say(name)
            found["rows"].append(row(name, device, cache, *((4, 0.3) if small else (50, 1.0))))
            write(found, out)
            if broke(found["rows"][-1]) and not small:  # an error may spoil a process for CUDA: go on in a fresh one
                os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def broke(row: dict[str, Any]) -> bool:
    """Whether something failed that might harm what comes after it."""
    return bool("failed" in row["eager"] or "failed" in row["graph"] or row["graph"].get("why_not"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), torch.device(sys.argv[2]), Path(sys.argv[3]))
