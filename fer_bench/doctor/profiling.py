"""Where the time of a run goes: shares of an epoch on one screen, and a trace for people who want to look closer.

Two passes over the same steps. The first measures each part with a clock, waiting for the device at its borders; the
second runs under torch's profiler, which knows every operation but slows them down.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from torch.profiler import ProfilerActivity, record_function

from fer_bench.engine.device import settle
from fer_bench.engine.lane import Lane
from fer_bench.engine.trainer import Trainer
from fer_bench.runs.plan import Plan
from fer_bench.runs.settings import Settings
from fer_bench.runs.worker import make_inputs

PARTS = ("data", "forward", "backward", "optimiser", "evaluation", "rest")
SECONDS, WARM_UP, TRACED = 8.0, 5, 6  # of measuring; steps before it; steps in the trace


class Stopwatch:
    """Adds up the seconds of named parts; time inside an inner part counts for the inner one alone."""

    def __init__(self, wait: Callable[[], None]) -> None:
        self.wait, self.inside = wait, [0.0]
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time a block."""
        self.wait()
        start = time.perf_counter()
        self.inside.append(0.0)
        with record_function(name):
            yield
            self.wait()
        took = time.perf_counter() - start
        self.seconds[name] += took - self.inside.pop()
        self.inside[-1] += took


@dataclass(frozen=True)
class Profile:
    """Seconds of one epoch by part, and the share of it in which the device had nothing to do."""

    title: str
    faces: int
    seconds: dict[str, float]
    idle: float
    operations: list[tuple[str, float]]  # name, seconds per step, the largest first
    trace: Path

    @property
    def epoch(self) -> float:
        """Seconds of an epoch with its evaluation."""
        return sum(self.seconds.values())


def show(plan: Plan, settings: Settings, say: Callable[[str], None]) -> None:
    """Profile a run and print it."""
    say(f"profiling {plan.spec.title} on {settings.device}, about {SECONDS:.0f} s ...")
    profile = measure(plan, settings, settings.store.run_folder(plan.spec.id) / "trace.json")
    console = Console(width=None if Console().is_terminal else 100)
    rate = profile.faces / (profile.epoch - profile.seconds["evaluation"])
    console.print(f"{profile.title}: {profile.epoch:.2f} s an epoch with evaluation, {rate:.0f} images/s in training")
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("part", "s per epoch", "share"):
        table.add_column(column, justify="left" if column == "part" else "right")
    for part in PARTS:
        table.add_row(part, f"{profile.seconds[part]:.3f}", f"{profile.seconds[part] / profile.epoch:.1%}")
    table.add_row("idle", "", f"{profile.idle:.1%}")
    console.print(table)
    console.print("idle: share of the wall time in which the device did nothing, while nobody waited for it")
    console.print("slowest operations, ms per step: " + ", ".join(f"{name} {1e3 * s:.2f}"
                                                                 for name, s in profile.operations))
    console.print(f"trace: {profile.trace} (open it at https://ui.perfetto.dev); no record was made", soft_wrap=True)


def measure(plan: Plan, settings: Settings, trace: Path) -> Profile:
    """Profile some steps of a run's first epoch, run eagerly, and one evaluation."""
    device = torch.device(settings.device)
    settle(device, plan.recipe.threads, plan.recipe.precision, plan.recipe.fast)
    lane = Lane(device)
    with lane.active():
        inputs = make_inputs(plan)
        trainer = Trainer(inputs, lane)
        wait: Callable[[], None] = (lambda: torch.cuda.synchronize(device)) if device.type == "cuda" else (lambda: None)
        steps = trainer.data.steps
        begun = time.perf_counter()
        trainer.begin(0)
        begun = time.perf_counter() - begun
        for step in range(min(WARM_UP, steps)):
            trainer.advance(step)
        watch = watched(trainer, wait)
        done, wall = timed_steps(trainer, wait)
        with watch("evaluation"):
            trainer.predict("test")
            trainer.diagnose()
        per_epoch = {part: watch.seconds[part] * steps / done for part in PARTS[:4]}
        per_epoch["data"] += begun
        per_epoch["evaluation"] = watch.seconds["evaluation"]
        per_epoch["rest"] = max(wall * steps / done + begun - sum(per_epoch[p] for p in PARTS[:4]), 0.0)
        idle, operations = traced(trainer, trace, wait)
    return Profile(plan.spec.title, len(trainer.data), per_epoch, idle, operations, trace)


def watched(trainer: Trainer, wait: Callable[[], None]) -> Stopwatch:
    """Let a stopwatch bracket the parts of the trainer's steps, views that a loss asks for included."""
    watch, view = Stopwatch(wait), trainer.data.view

    def timed_view(*which: Any) -> torch.Tensor:
        with watch("data"):
            return view(*which)

    trainer.phase, trainer.data.view = watch, timed_view  # type: ignore[method-assign, assignment]
    return watch


def timed_steps(trainer: Trainer, wait: Callable[[], None]) -> tuple[int, float]:
    """Steps done in some seconds, over and over the same epoch, and the seconds."""
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS or done < 2:
        trainer.advance(done % trainer.data.steps)
        done += 1
    wait()
    return done, time.perf_counter() - start


def traced(trainer: Trainer, trace: Path, wait: Callable[[], None]) -> tuple[float, list[tuple[str, float]]]:
    """Run a few steps under the profiler and write the trace; returns the idle share and the slowest operations."""
    cuda = trainer.device.type == "cuda"
    trainer.phase = record_function  # without waiting: what overlaps may overlap
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    start, used = time.perf_counter(), time.thread_time()
    with torch.profiler.profile(activities=activities) as profiler:
        for step in range(TRACED):
            trainer.advance(step % trainer.data.steps)
        wait()
        wall, used = time.perf_counter() - start, time.thread_time() - used
    trace.parent.mkdir(parents=True, exist_ok=True)
    profiler.export_chrome_trace(str(trace))
    events: list[Any] = [e for e in profiler.key_averages() if e.key not in PARTS]
    attribute = "self_device_time_total" if cuda else "self_cpu_time_total"
    times = sorted(((event.key, getattr(event, attribute) / 1e6 / TRACED) for event in events), key=lambda x: -x[1])
    busy = sum(seconds for _, seconds in times) * TRACED if cuda else used
    return max(0.0, 1 - busy / wall), times[:6]
