"""Our engine under the clock: runs on lanes that take turns, step by step."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import torch

from fer_bench.engine.device import settle
from fer_bench.engine.lane import Lane
from fer_bench.engine.trainer import Trainer
from fer_bench.runs.worker import make_inputs
from speed.data import plans
from speed.job import EPOCHS, Job, Steps, measure, peak_memory, warm_up


class Engine:
    """``job.lanes`` runs, timed in windows of the first few of them: for each step, one of each run in turn."""

    def __init__(self, job: Job) -> None:
        self.job = job
        device = torch.device(job.device)
        settle(device, 1, job.precision, job.fast)
        self.runs: list[tuple[Lane, Trainer]] = []
        self.peaks: list[int] = []  # bytes with one run, with two ...
        for plan in plans(job, job.lanes):
            lane = Lane(device, job.engine)
            with lane.active():
                self.runs.append((lane, Trainer(make_inputs(plan), lane)))
            warm_up(self.steps(self.runs[-1:]), job.device)
            if (reason := lane.why_not(self.runs[-1][1].method)) is not None:
                raise RuntimeError(f"does not run as {job.engine}: {reason}")
            self.peaks.append(peak_memory(job.device))
        self.stepping = {lanes: self.steps(self.runs[:lanes]) for lanes in range(1, job.lanes + 1)}

    def steps(self, runs: list[tuple[Lane, Trainer]]) -> Steps:
        """Train runs side by side without end; see job.Steps."""
        data = runs[0][1].data
        for epoch in cycle(range(EPOCHS)):
            for lane, trainer in runs:
                with lane.active():
                    trainer.begin(epoch)
            for step in range(data.steps):
                for lane, trainer in runs:
                    with lane.active():
                        trainer.advance(step)
                yield data.size(step) * len(runs), step + 1 == data.steps

    def window(self, seconds: float, lanes: int) -> dict[str, Any]:
        """One timed window of the first ``lanes`` runs."""
        found = measure(self.stepping[lanes], self.job.device, seconds)
        return found if lanes == self.job.lanes else {**found, "peak_memory_bytes": self.peaks[lanes - 1]}
