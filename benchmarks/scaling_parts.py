"""What is measured at one point of images, classes, size and pack. Each runs in a child process (``ask``).

Seconds are processor seconds of one thread, so that a busy neighbour does not count; wall seconds stand beside them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from scaling_measure import Measured
from scaling_memory import Memory

from fer_bench.data.pack import open_pack
from fer_bench.engine import metrics
from fer_bench.engine.data import TrainingData
from fer_bench.engine.device import environment, settle
from fer_bench.engine.fit import result
from fer_bench.engine.lane import Lane
from fer_bench.engine.trainer import Inputs, Trainer
from fer_bench.nets.backbone import backbone_maker
from fer_bench.protocols.prepare import Prepared, prepare
from fer_bench.protocols.protocol import Augment, Recipe, load_protocol
from fer_bench.registry import load_class, method_info
from fer_bench.runs import worker
from fer_bench.runs.plan import Request, make_plans
from fer_bench.runs.settings import Settings
from fer_bench.runs.store import Store, render_record

CPU = torch.device("cpu")
RECIPE = Recipe(
    name="scaling", title="a tiny network behind the whole data path", backbone="resnet10-w16", image_size=24,
    colour="grey", epochs=2, batch_size=32, lr=1e-3, schedule="constant", mean=(0.5,), std=(0.25,),
    augment=Augment(noise=0.5, flip=0.5, shift=2, erase=0.3, erase_scale=(0.02, 0.1)))
WARM, STEPS = 3, 20


def about() -> dict[str, Any]:
    """The machine and the versions."""
    torch.set_num_threads(1)
    return {"machine": environment(CPU, 1), "versions": {"torch": torch.__version__, **worker.versions()}}


def make_inputs(data: Prepared, method: str, recipe: Recipe) -> Inputs:
    """One run of a method on prepared data, seed 0."""
    maker = backbone_maker(recipe.backbone, len(recipe.mean), len(data.classes), False, "none")
    return Inputs("scaling", load_class(method_info(method)), {}, recipe, data, 0, maker)


def steps(measured: Measured, trainer: Trainer, batches: bool = False) -> None:
    """The fastest training step after a few warm ones, in an epoch that has begun; also a batch of it alone."""
    times: dict[str, list[tuple[float, float]]] = {"step": [], "batch": []}
    for step in range(min(WARM + STEPS, trainer.data.steps)):
        size = trainer.data.size(step)
        kinds: dict[str, Callable[[], Any]] = {"step": lambda at=step: trainer.advance(at)}  # type: ignore[misc]
        if batches:
            kinds["batch"] = lambda n=size: trainer.data.batch(n)  # type: ignore[misc]
        for name, work in kinds.items():
            wall, processor = time.perf_counter(), time.process_time()
            work()
            times[name].append((time.process_time() - processor, time.perf_counter() - wall))
    for name, taken in times.items():
        if taken:
            later = taken[WARM:] or taken
            measured.note(name, *(min(column) for column in zip(*later, strict=True)))
    measured.more["images_per_second"] = trainer.recipe.batch_size / measured.seconds["step"]


def images(n: int, folder: Path) -> dict[str, Any]:
    """The data path on ``n`` training faces, method nla (two views): opened, prepared, drawn, trained on."""
    settle(CPU, 1, "fp32")
    measured = Measured()
    torch.zeros(1).sum()  # what torch allocates once
    with Memory() as memory:
        pack = measured.time("open pack", lambda: open_pack(folder))
        imbalanced = measured.time("prepare imb50", lambda: prepare(pack, load_protocol("imb50"), 0))
        measured.more["faces imb50"] = len(imbalanced.train)
        before = memory.growth()
        data = measured.time("prepare noise30", lambda: prepare(pack, load_protocol("noise30"), 0))
        measured.more["noise30 alone, megabytes"] = (memory.growth() - before) / 1e6
        measured.megabytes["prepared"] = memory.growth() / 1e6
        measured.time("TrainingData", lambda: TrainingData(data.train, RECIPE, 0, CPU))
        trainer = Trainer(make_inputs(data, "nla", RECIPE), Lane(CPU))
        measured.time("begin(0)", lambda: trainer.begin(0))
        steps(measured, trainer)  # the first one draws the views
        measured.time("begin(1)", lambda: trainer.begin(1))
        measured.megabytes |= {"training": memory.growth() / 1e6, "peak": memory.peak() / 1e6}
    return measured.point()


def classes(n: int, folder: Path) -> dict[str, Any]:
    """As many faces as ever, more classes: protocols, a step, prediction, metrics, the record."""
    settle(CPU, 1, "fp32")
    measured = Measured()
    with Memory() as memory:
        pack = open_pack(folder)
        data = measured.time("prepare noise30", lambda: prepare(pack, load_protocol("noise30"), 0))
        measured.time("prepare imb50", lambda: prepare(pack, load_protocol("imb50"), 0))
        trainer = Trainer(make_inputs(data, "nla", RECIPE), Lane(CPU))
        trainer.begin(0)
        steps(measured, trainer)
        logits = measured.time("prediction", lambda: trainer.predict("test"))
        row = measured.time("metrics", lambda: {"epoch": 1, **metrics.evaluate(logits, data.test.true)})
        measured.megabytes["peak"] = memory.peak() / 1e6
    record = {"id": "0" * 16, "result": result([row], logits, data.test.true)}
    measured.more["record bytes without curve"] = len(render_record(record))
    return measured.point()


def size(n: int, folder: Path) -> dict[str, Any]:
    """The network's input: batches, steps and prediction of 256 faces at ``n`` pixels a side."""
    settle(CPU, 1, "fp32")
    measured = Measured()
    data = prepare(open_pack(folder), load_protocol("noise30"), 0)
    with Memory() as memory:
        recipe = RECIPE.model_copy(update={"image_size": n})
        trainer = Trainer(make_inputs(data, "ce", recipe), Lane(CPU))
        trainer.begin(0)
        steps(measured, trainer, batches=True)
        measured.time("prediction", lambda: trainer.predict("test"), 2)
        measured.megabytes["peak"] = memory.peak() / 1e6
    return measured.point()


def pack(n: int, runs: int, folder: Path) -> dict[str, Any]:
    """The same ``runs`` runs of one epoch on the embedded faces, by ``n`` lanes that take turns (``worker.work``)."""
    request = Request(("ce",), ("noise30",), ("synthetic",), tuple(range(runs + 1)), folder / "cache", recipe="quick",
                      recipe_settings={"epochs": "1", "image_size": "16"})
    settings = Settings(Store(folder / "results", folder / "work"), "cpu", 1, 1, "eager", n)
    settings.store.check_writable()
    plans, measured = make_plans(request, lambda line: None), Measured()
    ends: list[str] = []

    def emit(event: dict[str, Any]) -> None:
        if event["kind"] in ("done", "failed", "conflict", "busy", "skipped"):
            ends.append(event["kind"])

    with Memory() as memory:
        worker.work(plans[runs:], 0, settings, emit)  # opens the pack and warms the kernels
        measured.time("all runs", lambda: worker.work(plans[:runs], 0, settings, emit), 1)
        measured.megabytes["peak"] = memory.peak() / 1e6
    if ends != ["done"] * (runs + 1):
        raise RuntimeError(f"runs ended as {ends}")
    measured.more["runs"] = runs
    return measured.point()
