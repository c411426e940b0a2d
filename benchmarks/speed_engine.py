"""Our engine under the clock: single lanes, packed lanes, packed against solo, and whole runs."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from speed_data import prepared, recipe
from speed_job import Job, Steps, measure, peak_memory, wait, warm_up


def inputs(job: Job, seed: int) -> Any:
    """One run on the made faces: recipe ``paper`` doing the usual pipeline's work."""
    from fer_bench.engine.trainer import Inputs
    from fer_bench.nets.backbone import backbone_maker
    from fer_bench.registry import load_class, method_info, resolve_parameters

    info = method_info(job.method)
    chosen = recipe(job.size, job.batch, job.precision, job.fast, job.epochs)
    data = prepared(Path(job.folder))
    maker = backbone_maker(chosen.backbone, 3, len(data.classes), job.precision == "bf16", "none")
    name, parameters = f"speed-{job.method}-{seed}", resolve_parameters(info, {})
    return Inputs(name, load_class(info), parameters, chosen, data, seed, maker)


def settled(job: Job) -> torch.device:
    """The device, settled as a run of the suite settles it."""
    from fer_bench.engine.device import settle

    device = torch.device(job.device)
    if device.type == "cuda":
        torch.cuda.init()  # a device with a number is not known to the allocator before
    settle(device, job.threads or 1, job.precision, fast=job.fast)
    return device


class Runs:
    """Runs that share the device: for each step, one optimiser step of each run in turn, each on its own lane."""

    def __init__(self, job: Job) -> None:
        self.job, self.device = job, settled(job)
        self.lanes: list[Any] = []
        self.trainers: list[Any] = []
        self.epoch = 0

    def add(self, seed: int) -> None:
        """One more run."""
        from fer_bench.engine.lane import Lane
        from fer_bench.engine.trainer import Trainer

        lane = Lane(self.device, self.job.engine)
        with lane.active():
            self.trainers.append(Trainer(inputs(self.job, seed), lane))
        self.lanes.append(lane)

    def steps(self, chosen: range) -> Steps:
        """Train the chosen runs side by side without end; see speed_job.Steps."""
        data = self.trainers[chosen[0]].data
        while True:
            self.each(chosen, "begin", self.epoch)
            for step in range(data.steps):
                self.each(chosen, "advance", step)
                yield data.size(step) * len(chosen), step + 1 == data.steps
            self.epoch = (self.epoch + 1) % self.job.epochs

    def each(self, chosen: range, action: str, number: int) -> None:
        """``begin`` or ``advance`` of every chosen run."""
        for place in chosen:
            with self.lanes[place].active():
                getattr(self.trainers[place], action)(number)

    def check(self) -> None:
        """Raises when a run fell back to another way than the one that is to be measured."""
        for lane, trainer in zip(self.lanes, self.trainers, strict=True):
            if (reason := lane.why_not(trainer.method)) is not None:
                raise RuntimeError(f"runs {lane.engine(trainer.method)} instead of {self.job.engine}: {reason}")


class Engine:
    """Our engine, timed in windows of its first few runs: one after the other up to ``job.lanes`` are built."""

    def __init__(self, job: Job) -> None:
        self.job, self.runs, self.reason = job, Runs(job), ""
        self.peaks: list[int] = []  # bytes with one run, with two ...
        for place in range(job.lanes):
            try:
                self.runs.add(place)
                warm_up(self.runs.steps(range(place, place + 1)), job.device)
                self.runs.check()
            except Exception as error:
                if not place:
                    raise
                self.reason = f"{type(error).__name__}: {error}".split("\n")[0]
                break
            self.peaks.append(peak_memory(job.device))
        self.stepping: dict[int, Steps] = {}

    def window(self, seconds: float, lanes: int) -> dict[str, Any]:
        """One timed window of the first ``lanes`` runs."""
        if lanes > len(self.peaks):
            return {"error": f"no more than {len(self.peaks)} runs fit: {self.reason}"}
        steps = self.stepping.setdefault(lanes, self.runs.steps(range(lanes)))
        found = measure(steps, self.job.device, seconds)
        return found if lanes == len(self.peaks) else {**found, "peak_memory_bytes": self.peaks[lanes - 1]}


def packed_equals_solo(job: Job, limit: int = 60) -> dict[str, Any]:
    """Whether a run among ``job.lanes`` packed ones has, bit for bit, the losses and weights that it has alone."""
    outcomes = []
    for count_of_runs in (1, job.lanes):
        runs = Runs(job)
        for seed in range(count_of_runs):
            runs.add(seed)
        steps = runs.steps(range(count_of_runs))
        count = min(limit, runs.trainers[0].data.steps)
        for _ in range(count):
            next(steps)
        wait(job.device)
        runs.check()
        state = {name: value.cpu().clone() for name, value in runs.trainers[0].method.state_dict().items()}
        outcomes.append((runs.trainers[0].losses[:count].cpu().clone(), state))
        del runs, steps
    (alone, alone_state), (packed, packed_state) = outcomes
    return {"steps": len(alone), "lanes": job.lanes, "losses_equal": bool(torch.equal(alone, packed)),
            "weights_equal": all(torch.equal(value, packed_state[name]) for name, value in alone_state.items()),
            "last_loss": float(alone[-1]), "finite": bool(torch.isfinite(alone).all())}


def whole_runs(job: Job) -> dict[str, Any]:
    """Seconds of ``job.lanes`` whole runs side by side, from reading the pack to the last checkpoint: every epoch is
    evaluated on the test faces and saved, graphs are captured inside the time. One run goes through ``fit``."""
    from fer_bench.engine.fit import fit, fitting
    from fer_bench.engine.lane import Lane

    device = settled(job)
    warnings: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        start = time.perf_counter()
        places = [(seed, Lane(device, job.engine), Path(scratch) / str(seed)) for seed in range(job.lanes)]
        if job.lanes == 1:
            seed, lane, folder = places[0]
            parts = [fit(inputs(job, seed), lane, folder, print_nothing, warnings.append)]
        else:
            parts = take_turns([(lane, fitting(inputs(job, seed), lane, folder, print_nothing, warnings.append))
                                for seed, lane, folder in places])
        wait(job.device)
        seconds = time.perf_counter() - start
    return {"runs": job.lanes, "seconds": seconds, "epochs": job.epochs,
            "training_seconds": [part["cost"]["training_seconds"] for part in parts],
            "engines": sorted({part["cost"]["engine"] for part in parts}), "warnings": warnings,
            "peak_memory_bytes": peak_memory(job.device)}


def take_turns(runs: list[tuple[Any, Any]]) -> list[dict[str, Any]]:
    """Run generators side by side, a step of each in turn, each on its lane; returns what they return."""
    busy, parts = dict(enumerate(runs)), {}
    while busy:
        for place, (lane, run) in list(busy.items()):
            try:
                with lane.active():
                    next(run)
            except StopIteration as end:
                parts[place] = end.value
                del busy[place]
    return [parts[place] for place in sorted(parts)]


def print_nothing(row: dict[str, Any]) -> None:
    """A report that goes nowhere."""
