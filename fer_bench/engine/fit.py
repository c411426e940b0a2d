"""Fit one run: from a prepared dataset to the numbers of its record. Read ``fit``, then ``Trainer.train_epoch``."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fer_bench import diagnosis
from fer_bench.engine import checkpoint
from fer_bench.engine.data import TrainingData, make_clock, pixels, predict, set_clock
from fer_bench.engine.keyed import key
from fer_bench.engine.optim import lr_factor, make_optimiser, set_lr
from fer_bench.method import Batch, Context, Method
from fer_bench.metrics import confusion_matrix, evaluate
from fer_bench.prepare import Faces, Prepared
from fer_bench.protocol import Recipe

Row = dict[str, Any]


class NotFinite(Exception):
    """The loss of a run became infinite or not a number."""


@dataclass(frozen=True)
class Inputs:
    """All that determines a run, resolved."""

    id: str
    method: type[Method]
    parameters: dict[str, Any]
    recipe: Recipe
    data: Prepared
    seed: int
    make_backbone: Callable[[], nn.Module]


def fit(inputs: Inputs, device: torch.device, folder: Path, report: Callable[[Row], None],
        warn: Callable[[str], None]) -> Row:
    """Train and evaluate one run, resuming from ``folder`` if it was begun there.

    ``report`` gets one row after each epoch. Returns the record's parts "result", "diagnosis" and "cost".
    Raises NotFinite with epoch and step when the loss is not finite.
    """
    trainer = Trainer(inputs, device)
    test = pixels(inputs.data.test.images).to(device)
    state = checkpoint.load(folder, inputs.id, warn)
    curve, seconds = ([], []) if state is None else trainer.restore(state)
    logits = np.zeros(0)
    for epoch in range(len(curve), inputs.recipe.epochs):
        start = time.perf_counter()
        row = {"epoch": epoch + 1, **trainer.train_epoch(epoch)}
        trained = time.perf_counter() - start
        logits = predict(trainer.method, test, inputs.recipe)
        if not np.isfinite(logits).all():
            raise NotFinite(f"the logits are not finite after epoch {epoch + 1}")
        row |= evaluate(logits, inputs.data.test.true) | trainer.diagnose()
        curve.append(row)
        seconds.append([trained, time.perf_counter() - start - trained])
        checkpoint.save(folder, {"id": inputs.id, **trainer.state(), "curve": curve, "seconds": seconds})
        report({**row, "images_per_second": len(trainer.data) / trained})
    if not len(logits):  # all epochs were done before; only the record was missing
        logits = predict(trainer.method, test, inputs.recipe)
    return {"result": result(curve, logits, inputs.data.test.true), "diagnosis": diagnosed(curve),
            "cost": trainer.cost(seconds)}


def result(curve: list[Row], logits: np.ndarray, labels: np.ndarray) -> Row:
    """The record's result: the last epoch, the best on the test set, and the one chosen on validation, if any."""
    best = max(curve, key=lambda row: row["overall"])
    chosen = max(curve, key=lambda row: row["validation_overall"]) if "validation_overall" in curve[0] else None
    predicted = logits.argmax(1)
    return {"last": metrics(curve[-1]), "best": metrics(best), "val": metrics(chosen) if chosen else None,
            "curve": curve, "confusion": confusion_matrix(labels, predicted, logits.shape[1]).tolist(),
            "predictions": predicted.tolist()}


def metrics(row: Row) -> Row:
    """The test metrics of one epoch."""
    return {name: row[name] for name in ("epoch", "overall", "mean", "macro_f1", "nll", "ece", "recall")}


def diagnosed(curve: list[Row]) -> Row:
    """The last epoch's diagnosis; every epoch's is in the curve."""
    names = ("memorised", "corrected", "weight_auroc", "weight_ambiguity")
    return {name: curve[-1][name] for name in names if name in curve[-1]}


class Trainer:
    """One run in training: method, optimiser, clock and data."""

    def __init__(self, inputs: Inputs, device: torch.device) -> None:
        self.recipe, self.seed, self.device = inputs.recipe, inputs.seed, device
        self.faces: Faces = inputs.data.train
        self.data = TrainingData(self.faces, inputs.recipe, inputs.seed, device)
        self.validation = inputs.data.validation
        self.wrong = np.flatnonzero(self.faces.given != self.faces.true)
        method = build_method(inputs, self.data.labels.cpu(), self.data.steps)
        self.method = method.to(device).to(memory_format=torch.channels_last).train()
        self.optimiser = make_optimiser(self.method, self.recipe)
        self.clock = make_clock(self.recipe.epochs, self.data.steps, device)
        self.logged: dict[str, Tensor] = {}

    def train_epoch(self, epoch: int) -> Row:
        """One epoch of steps. The only read from the device is at its end."""
        first = epoch * self.data.steps
        torch.manual_seed(key("global", self.seed, epoch))  # for backbones with dropout; methods use draw
        set_clock(self.clock, first)
        self.method.begin_epoch(self.clock, self.data.sweep(self.method))
        total = torch.zeros((), device=self.device)
        failed = torch.full((), self.data.steps, dtype=torch.int64, device=self.device)
        self.logged = {}
        for step, batch in enumerate(self.data.batches(self.method, epoch)):
            set_lr(self.optimiser, lr_factor(self.recipe, first + step, self.data.steps))
            set_clock(self.clock, first + step)
            loss = self.step(batch)
            total += loss * len(batch.labels)
            failed = torch.where(torch.isfinite(loss), failed, failed.clamp(max=step))
        if int(failed) < self.data.steps:
            raise NotFinite(f"the loss is not finite in epoch {epoch + 1}, step {int(failed) + 1} of {self.data.steps}")
        return {"loss": float(total) / len(self.data), "lr": self.optimiser.param_groups[0]["lr"]}

    def step(self, batch: Batch) -> Tensor:
        """One optimiser step; returns the detached loss."""
        loss = self.method.loss(batch, self.clock)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        with torch.no_grad():
            self.method.after_step(self.clock)
            for name, values in batch.logged.items():
                kept = self.logged.setdefault(name, torch.zeros(len(self.data), device=self.device))
                kept.index_copy_(0, batch.index, values.float())
        detached: Tensor = loss.detach()
        return detached

    def diagnose(self) -> Row:
        """Validation accuracy, memorisation of wrong labels, and what the logged weights say, after an epoch."""
        row: Row = {}
        if self.validation is not None:
            logits = predict(self.method, pixels(self.validation.images).to(self.device), self.recipe)
            row["validation_overall"] = float((logits.argmax(1) == self.validation.given).mean())
        given, true = self.faces.given, self.faces.true
        if len(self.wrong):
            rows = torch.from_numpy(self.wrong).to(self.device)
            predicted = predict(self.method, self.data.images[rows], self.recipe).argmax(1)
            row |= diagnosis.memorisation(predicted, given[self.wrong], true[self.wrong])
        if "weight" in self.logged:
            weight = self.logged["weight"].cpu().numpy()
            row |= diagnosis.weight_quality(weight, given, true, self.faces.votes)
        return row

    def state(self) -> Row:
        """What a checkpoint holds of the training itself."""
        return {"method": self.method.state_dict(), "optimiser": self.optimiser.state_dict()}

    def restore(self, state: Row) -> tuple[list[Row], list[list[float]]]:
        """Go back to a checkpoint; returns its curve and seconds."""
        self.method.load_state_dict(state["method"])
        self.optimiser.load_state_dict(state["optimiser"])
        return state["curve"], state["seconds"]

    def cost(self, seconds: list[list[float]]) -> Row:
        """Seconds of training and evaluation, images/s, parameters, and peak memory where the device tells it."""
        training, evaluation = (sum(column) for column in zip(*seconds, strict=True))
        peak = torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else None
        return {"seconds": training + evaluation, "training_seconds": training,
                "images_per_second": len(self.data) * len(seconds) / training,
                "parameters": sum(p.numel() for p in self.method.parameters()), "peak_memory_bytes": peak}


def build_method(inputs: Inputs, labels: Tensor, steps: int) -> Method:
    """The method with weights drawn from the seed alone: its n-th backbone starts as every other method's n-th."""
    built = 0

    def backbone() -> nn.Module:
        nonlocal built
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(key("backbone", inputs.seed, built))
            built += 1
            return inputs.make_backbone()

    classes = len(inputs.data.classes)
    context = Context(classes, labels.clone(), torch.bincount(labels, minlength=classes), inputs.recipe.epochs, steps,
                      backbone)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(key("init", inputs.seed))
        return inputs.method(context, **inputs.parameters)
