"""What is measured at one point of images, classes, size and pack. Each runs in a child process.

Seconds are processor seconds of one thread, so that a busy neighbour does not count.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch

from fer_bench.data.pack import open_pack
from fer_bench.engine import metrics
from fer_bench.engine.data import TrainingData
from fer_bench.engine.device import settle
from fer_bench.engine.inputs import Inputs
from fer_bench.engine.lane import Lane
from fer_bench.engine.trainer import Trainer
from fer_bench.nets.backbone import backbone_maker
from fer_bench.protocols.prepare import Prepared, prepare
from fer_bench.protocols.protocol import Augment, Recipe, load_protocol
from fer_bench.registry import load_class, method_info
from fer_bench.runs import worker
from fer_bench.runs.plan import make_plans
from fer_bench.runs.request import Request
from fer_bench.runs.settings import Settings
from fer_bench.runs.store import Store
from scaling.measured import Measured

CPU = torch.device("cpu")
RECIPE = Recipe(
    name="scaling", title="a tiny network behind the whole data path", backbone="resnet10-w16", image_size=24,
    colour="grey", epochs=2, batch_size=32, lr=1e-3, schedule="constant", mean=(0.5,), std=(0.25,),
    augment=Augment(noise=0.5, flip=0.5, shift=2, erase=0.3, erase_scale=(0.02, 0.1)))
STEPS = 23


def make_trainer(data: Prepared, method: str, recipe: Recipe) -> Trainer:
    """One run of a method on prepared data, seed 0."""
    maker = backbone_maker(recipe.backbone, len(recipe.mean), len(data.classes), False, "none")
    return Trainer(Inputs("scaling", load_class(method_info(method)), {}, recipe, data, 0, maker), Lane(CPU))


def steps(measured: Measured, trainer: Trainer, batches: bool = False) -> float:
    """The fastest training step of an epoch that has begun, also a batch of it alone; returns images/s."""
    for step in range(min(STEPS, trainer.data.steps)):
        measured.time("step", partial(trainer.advance, step), 1)
        if batches:
            measured.time("batch", partial(trainer.data.batch, trainer.data.size(step)), 1)
    return trainer.recipe.batch_size / measured.seconds["step"]


def images(n: int, folder: Path) -> dict[str, Any]:
    """The data path on ``n`` training faces, method nla (two views): opened, prepared, drawn, trained on."""
    settle(CPU, 1, "fp32")
    torch.zeros(1).sum()  # what torch allocates once
    with Measured() as measured:
        pack = measured.time("open pack", lambda: open_pack(folder))
        measured.time("prepare imb50", lambda: len(prepare(pack, load_protocol("imb50"), 0).train))
        data = measured.time("prepare noise30", lambda: prepare(pack, load_protocol("noise30"), 0))
        measured.megabytes["prepared"] = measured.growth() / 1e6
        measured.time("TrainingData", lambda: TrainingData(data.train, RECIPE, 0, CPU))
        trainer = make_trainer(data, "nla", RECIPE)
        measured.time("begin(0)", lambda: trainer.begin(0))
        rate = steps(measured, trainer)  # the first one draws the views
        measured.time("begin(1)", lambda: trainer.begin(1))
        measured.megabytes["training"] = measured.growth() / 1e6
    return measured.point(images_per_second=rate)


def classes(n: int, folder: Path) -> dict[str, Any]:
    """As many faces as ever, more classes: protocols, a step, prediction, metrics."""
    settle(CPU, 1, "fp32")
    with Measured() as measured:
        pack = open_pack(folder)
        data = measured.time("prepare noise30", lambda: prepare(pack, load_protocol("noise30"), 0))
        measured.time("prepare imb50", lambda: prepare(pack, load_protocol("imb50"), 0))
        trainer = make_trainer(data, "nla", RECIPE)
        trainer.begin(0)
        rate = steps(measured, trainer)
        logits = measured.time("prediction", lambda: trainer.predict("test"))
        measured.time("metrics", lambda: metrics.evaluate(logits, data.test.true))
    return measured.point(images_per_second=rate)


def size(n: int, folder: Path) -> dict[str, Any]:
    """The network's input: batches, steps and prediction of 256 faces at ``n`` pixels a side."""
    settle(CPU, 1, "fp32")
    data = prepare(open_pack(folder), load_protocol("noise30"), 0)
    with Measured() as measured:
        trainer = make_trainer(data, "ce", RECIPE.model_copy(update={"image_size": n}))
        trainer.begin(0)
        rate = steps(measured, trainer, batches=True)
        measured.time("prediction", lambda: trainer.predict("test"), 2)
    return measured.point(images_per_second=rate)


def pack(n: int, folder: Path, runs: int) -> dict[str, Any]:
    """The same ``runs`` runs of one epoch on the embedded faces, by ``n`` lanes that take turns (``worker.work``)."""
    request = Request(("ce",), ("noise30",), ("synthetic",), tuple(range(runs + 1)), folder / "cache", recipe="quick",
                      recipe_settings={"epochs": "1", "image_size": "16"})
    settings = Settings(Store(folder / "results", folder / "work"), "cpu", engine="eager", pack=n)
    plans = make_plans(request, lambda line: None)
    ends: list[str] = []

    def emit(event: dict[str, Any]) -> None:
        if event["kind"] in ("done", "failed", "conflict", "busy", "skipped"):
            ends.append(event["kind"])

    worker.collect_garbage_of_runs_alone()  # imports torch's compiler, whatever the number of lanes
    with Measured() as measured:
        worker.work(plans[runs:], 0, settings, emit)  # opens the pack and warms the kernels
        measured.time("all runs", lambda: worker.work(plans[:runs], 0, settings, emit), 1)
    if ends != ["done"] * (runs + 1):
        raise RuntimeError(f"runs ended as {ends}")
    return measured.point(runs=runs)
