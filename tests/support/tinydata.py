"""A tiny learnable dataset with wrong labels and votes, and short runs on it: what the tests of the engine train on."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fer_bench.engine.data import FIRST, SECOND, TrainingData, make_clock, set_clock
from fer_bench.engine.device import settle
from fer_bench.engine.evaluate import Evaluation
from fer_bench.engine.fit import finish, fitting
from fer_bench.engine.inputs import Inputs
from fer_bench.engine.keyed import generator
from fer_bench.engine.lane import Lane
from fer_bench.engine.pixels import Pixels
from fer_bench.engine.trainer import Row, Trainer
from fer_bench.method import Batch
from fer_bench.nets.backbone import Backbone, backbone_maker, make_trunk
from fer_bench.protocols.prepare import Faces, Prepared
from fer_bench.protocols.protocol import Augment, Recipe

Parameters = dict[str, Any]
CLASSES = ("anger", "happy", "neutral", "sad")
CPU = torch.device("cpu")
RECIPE = Recipe(
    name="tiny", title="three epochs of six batches, the last of 14; every augmentation", backbone="resnet10-w16",
    image_size=24, colour="grey", epochs=3, batch_size=16, lr=5e-3, weight_decay=1e-4, schedule="cosine",
    warmup_epochs=0.5, mean=(0.5,), std=(0.25,),
    augment=Augment(noise=0.5, flip=0.5, shift=2, erase=0.3, erase_scale=(0.02, 0.1)),
)


def pattern(label: int, size: int = 16) -> np.ndarray:
    """What tells a class: horizontal stripes, vertical stripes, a chequerboard, a disc; float [size, size] in 0..1."""
    y, x = np.mgrid[:size, :size]
    return (y // 2 % 2, x // 2 % 2, (x // 2 + y // 2) % 2, (x - 7.5) ** 2 + (y - 7.5) ** 2 < 25)[label].astype(float)


def make_faces(count: int, seed: int, wrong: float = 0.0) -> Faces:
    """uint8 faces [count, 16, 16] of the four classes, a share of them wrongly labelled, with ten votes each."""
    rng = np.random.default_rng(seed)
    true = rng.permutation(np.arange(count) % len(CLASSES))
    images = np.stack([60 + 120 * pattern(label) for label in true]) + rng.normal(0, 25, (count, 16, 16))
    flipped = (true + rng.integers(1, len(CLASSES), count)) % len(CLASSES)
    given = np.where(rng.random(count) < wrong, flipped, true)
    doubt = rng.uniform(0.5, 1, count)
    chances = (1 - doubt)[:, None] / 4 + doubt[:, None] * np.eye(4)[true]
    votes = np.stack([rng.multinomial(10, p) for p in chances]).astype(np.float32)
    return Faces(images.clip(0, 255).astype(np.uint8), given, true, tuple(f"face{i}" for i in range(count)), votes)


@cache
def tiny_data() -> Prepared:
    """94 training faces, about a quarter wrongly labelled, and 40 test faces. Shared: do not write into it."""
    return Prepared(CLASSES, make_faces(94, 1, wrong=0.25), None, make_faces(40, 2))


def tiny_inputs(method: Any, parameters: dict[str, Any] | None = None, *, seed: int = 0, data: Prepared | None = None,
                bf16: bool = False, **recipe: Any) -> Inputs:
    """One run of a method on the tiny data; further keywords change the recipe."""
    chosen = RECIPE.model_copy(update=recipe)
    maker = backbone_maker(chosen.backbone, len(chosen.mean), len(CLASSES), bf16, "none")
    return Inputs("tiny", method, parameters or {}, chosen, data or tiny_data(), seed, maker)


def tiny_trainer(method: Any, parameters: dict[str, Any] | None = None, **changes: Any) -> Trainer:
    """A method built as in a run, with its data and optimiser, before the first epoch."""
    settle(CPU, 1, "fp32")
    return Trainer(tiny_inputs(method, parameters, **changes), Lane(CPU))


def fit(inputs: Inputs, lane: Lane, folder: Path, report: Callable[[Row], None], warn: Callable[[str], None],
        every: float = 60) -> Row:
    """``fitting`` without the pauses."""
    return finish(fitting(inputs, lane, folder, report, warn, every))


def tiny_run(inputs: Inputs, folder: Path | None = None, report: Callable[[Row], None] = lambda row: None,
             warn: Callable[[str], None] = lambda line: None, every: float = 60) -> Row:
    """``fit`` on the CPU; without ``folder`` the checkpoints are thrown away."""
    settle(CPU, 1, "fp32")
    with tempfile.TemporaryDirectory() as scratch:
        return fit(inputs, Lane(CPU), folder or Path(scratch), report, warn, every)


def with_labels(data: Prepared, split: str, true: np.ndarray) -> Prepared:
    """The same data with other true labels in one split, which no method may notice."""
    return replace(data, **{split: replace(getattr(data, split), true=true)})


class PlainBackbone(Backbone):
    """A backbone without autocast, which the meta device does not have."""

    def features(self, images: Tensor) -> Tensor:
        return self.trunk.forward_features(images).float()

    def branch(self, stages: Any, given: Tensor) -> Tensor:
        return stages(given).float()


def plain_backbone() -> PlainBackbone:
    return PlainBackbone(make_trunk(RECIPE.backbone, len(RECIPE.mean)), len(CLASSES), bf16=False)


def disturb_global_rng(seed: int) -> None:
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


def begun(method_class: Any, parameters: Parameters, **changes: Any) -> Trainer:
    """A trainer at the start of its first epoch."""
    trainer = tiny_trainer(method_class, parameters, **changes)
    trainer.begin(0)
    return trainer


def train_epoch(trainer: Trainer, epoch: int) -> Row:
    """A whole epoch at once."""
    for _ in trainer.train_epoch(epoch):
        pass
    return trainer.trained()


def batches(data: TrainingData, method: Any, epoch: int) -> Iterator[Batch]:
    """The batches of an epoch, one after the other."""
    clock = make_clock(epoch + 1, data.steps, CPU)
    set_clock(clock, epoch * data.steps)
    data.begin(method, epoch, clock)
    for step in range(data.steps):
        data.seek(step)
        yield data.batch(data.size(step))


def predict(trainer: Trainer, images: np.ndarray) -> np.ndarray:
    """Logits of stored images, as in a run."""
    return Evaluation(trainer.method, Pixels(images, CPU), trainer.recipe, lambda step, around: step).logits().numpy()


def batch_of(trainer: Trainer, size: int, epoch: int = 0) -> Batch:
    """The first ``size`` training faces as one batch."""
    index, data = torch.arange(size), trainer.data
    draws = trainer.method.draw(generator("method", 0, epoch, 0), size)
    return Batch(data.view(FIRST, index, index), data.labels[index], index, draws,
                 lambda: data.view(SECOND, index, index), lambda name: data.own_view(name, index, index),
                 data.votes_of(index))


def next_loss(trainer: Trainer) -> Tensor:
    """The loss of the first batch of the second epoch."""
    trainer.begin(1)
    return trainer.method.loss(batch_of(trainer, 16, epoch=1), trainer.clock).detach()


def outcome(result: Row) -> Row:
    """What may not depend on when, where or in how many pieces a run was made."""
    return {"result": result["result"], "diagnosis": result["diagnosis"]}


def reference(method_class: Any, parameters: Parameters) -> Row:
    """The outcome of one undisturbed run, computed once."""
    return json.loads(_reference(method_class, tuple(sorted(parameters.items()))))


@cache
def _reference(method_class: Any, parameters: tuple[tuple[str, Any], ...]) -> str:
    disturb_global_rng(0)
    return json.dumps(outcome(tiny_run(tiny_inputs(method_class, dict(parameters)))))


def state_of(trainer: Trainer) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in trainer.method.state_dict().items()}


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> list[str]:
    return [name for name in before if not torch.equal(before[name], after[name])]
