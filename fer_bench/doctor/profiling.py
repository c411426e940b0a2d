"""Where the time of a run goes: shares of an epoch on one screen, and a trace for people who want to look closer.

Two passes over the same steps. The first measures each part with a clock, waiting for the device at its borders; the
second runs under torch's profiler, which knows every operation but slows them down.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from torch.profiler import record_function

from fer_bench.engine.device import settle
from fer_bench.engine.lane import Lane
from fer_bench.engine.trainer import Trainer
from fer_bench.runs.plan import Plan
from fer_bench.runs.settings import Settings
from fer_bench.runs.worker import make_inputs

PARTS = ("data", "forward", "backward", "optimiser", "evaluation", "rest")
SECONDS, WARM_UP, TRACED = 8.0, 5, 6  # of measuring; steps before it; steps in the trace
Operations = list[tuple[str, float]]  # name, seconds in all, the largest first


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
        yield
        self.wait()
        took = time.perf_counter() - start
        self.seconds[name] += took - self.inside.pop()
        self.inside[-1] += took


def show(plan: Plan, settings: Settings, say: Callable[[str], None]) -> None:
    """Profile a run, its steps run eagerly, and print it."""
    say(f"profiling {plan.spec.title} on {settings.device}, about {SECONDS:.0f} s ...")
    device, trace = torch.device(settings.device), settings.store.run_folder(plan.spec.id) / "trace.json"
    settle(device, plan.recipe.threads, plan.recipe.precision, plan.recipe.fast)
    lane = Lane(device)
    with lane.active():
        trainer = Trainer(make_inputs(plan), lane)
        wait = partial(torch.get_device_module(device).synchronize, device)
        seconds = epoch(trainer, wait)
        idle, operations = traced(trainer, trace, wait)
    whole = sum(seconds.values())
    table = Table("part", box=box.SIMPLE_HEAD)
    table.add_column("s per epoch", justify="right")
    table.add_column("share", justify="right")
    for part in PARTS:
        table.add_row(part, f"{seconds[part]:.3f}", f"{seconds[part] / whole:.1%}")
    table.add_row("idle", "", f"{idle:.1%}")
    console = Console(width=None if Console().is_terminal else 100, markup=False)
    console.print(f"{plan.spec.title}: {whole:.2f} s an epoch with evaluation, "
                  f"{len(trainer.data) / (whole - seconds['evaluation']):.0f} images/s in training")
    console.print(table)
    console.print("idle: share of the wall time in which the device did nothing for this run")
    console.print("slowest operations, ms per step: " + ", ".join(
        f"{name[:60]} {1e3 * total / TRACED:.2f}" for name, total in operations[:6]))
    console.print(f"trace: {trace} (open it at https://ui.perfetto.dev); no record was made", soft_wrap=True)


def epoch(trainer: Trainer, wait: Callable[[], None]) -> dict[str, float]:
    """Seconds of a run's first epoch and its evaluation by part, from some steps over and over."""
    steps, start = trainer.data.steps, time.perf_counter()
    trainer.begin(0)
    begun = time.perf_counter() - start
    for step in range(min(WARM_UP, steps)):
        trainer.advance(step)
    watch, done = watched(trainer, wait), 0
    wait()
    start = time.perf_counter()
    while time.perf_counter() - start < SECONDS or done < 2:
        trainer.advance(done % steps)
        done += 1
    wait()
    wall = time.perf_counter() - start
    with watch("evaluation"):
        trainer.predict("test")
        trainer.diagnose()
    seconds = {part: watch.seconds[part] * steps / done for part in PARTS[:4]}
    rest = max(wall * steps / done - sum(seconds.values()), 0.0)
    seconds["data"] += begun
    return {**seconds, "evaluation": watch.seconds["evaluation"], "rest": rest}


def watched(trainer: Trainer, wait: Callable[[], None]) -> Stopwatch:
    """Let a stopwatch bracket the parts of the trainer's steps, views that a loss asks for included."""
    watch, view = Stopwatch(wait), trainer.data.view

    def timed_view(*which: Any) -> torch.Tensor:
        with trainer.phase("data"):
            return view(*which)

    trainer.phase, trainer.data.view = watch, timed_view  # type: ignore[method-assign, assignment]
    return watch


def traced(trainer: Trainer, trace: Path, wait: Callable[[], None]) -> tuple[float, Operations]:
    """Run a few steps under the profiler and write the trace; returns the idle share and the operations."""
    trainer.phase = record_function  # without waiting: what overlaps may overlap
    with torch.profiler.profile() as profiler:  # of the processor, and of the GPU where there is one
        start, used = time.perf_counter(), time.process_time()  # starting the profiler takes time, too
        for step in range(TRACED):
            trainer.advance(step % trainer.data.steps)
        wait()
        wall, used = time.perf_counter() - start, time.process_time() - used
    trace.parent.mkdir(parents=True, exist_ok=True)
    profiler.export_chrome_trace(str(trace))
    found = operations(profiler.key_averages(), trainer.device.type)
    busy = sum(seconds for _, seconds in found) if trainer.device.type == "cuda" else used
    return max(0.0, 1 - busy / wall), found


def operations(events: Iterable[Any], kind: str) -> Operations:
    """What ran on a kind of device. On a GPU those are its kernels and copies alone: the operation that launched one
    has the same time once more, and so has every annotation around it."""
    own = "self_cpu_time_total" if kind == "cpu" else "self_device_time_total"
    return sorted(((event.key, getattr(event, own) / 1e6) for event in events
                   if event.device_type.name == kind.upper() and not event.is_user_annotation), key=lambda x: -x[1])
