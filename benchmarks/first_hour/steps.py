"""Training steps of any method on the drawn faces, as the parts of the hour measure them."""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from speed.job import wait

from fer_bench.engine.device import settle
from fer_bench.engine.inputs import Inputs
from fer_bench.engine.lane import Lane
from fer_bench.engine.trainer import Trainer
from fer_bench.runs.plan import make_plans
from fer_bench.runs.request import Request
from fer_bench.runs.worker import make_inputs

Run = tuple[Lane, Trainer]
TOGETHER = 20  # steps between two waits for the device


def make(method: str, device: torch.device, cache: Path, seed: int = 0) -> Inputs:
    """A run of recipe ``paper`` with 30 % wrong labels, on a CPU of the small recipe ``quick``; the process is set for
    its precision."""
    recipe = "quick" if device.type == "cpu" else "paper"
    plan = make_plans(Request((method,), ("noise30",), ("synthetic",), (seed,), cache, recipe=recipe), print)[0]
    settle(device, 1, plan.recipe.precision)
    return make_inputs(plan)


def losses(run: Run, steps: int) -> np.ndarray:
    """The losses of a run's first steps, float32 [steps]."""
    lane, trainer = run
    found = []
    with lane.active():
        for number in range(steps):
            epoch, step = divmod(number, trainer.data.steps)
            if step == 0:
                trainer.begin(epoch)
            trainer.advance(step)
            found.append(trainer.losses[step].clone())
        return np.asarray(torch.stack(found).cpu().numpy())


def rate(runs: list[Run], seconds: float) -> float:
    """Images/s of all runs together, which take turns step by step as a worker's do; full batches of one epoch."""
    device, size = runs[0][0].device, runs[0][1].recipe.batch_size
    full = len(runs[0][1].data) // size
    wait(device.type)
    start = time.perf_counter()
    for number in count(1):
        for lane, trainer in runs:
            with lane.active():
                trainer.advance(number % full)
        if number % (TOGETHER if device.type == "cuda" else 1) == 0:
            wait(device.type)
            if (taken := time.perf_counter() - start) >= seconds:
                break
    return number * size * len(runs) / taken


def how(run: Run) -> dict[str, Any]:
    """The way in which a run's steps are run, and why not in the wanted one."""
    lane, trainer = run
    return {"engine": lane.engine(trainer.method), "why_not": lane.why_not(trainer.method)}
