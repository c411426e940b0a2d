"""Fit one run: from a prepared dataset to the numbers of its record. Read ``fitting``, then trainer.py."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np

from fer_bench.engine import checkpoint
from fer_bench.engine.cost import cost
from fer_bench.engine.lane import Lane
from fer_bench.engine.metrics import confusion_matrix, evaluate
from fer_bench.engine.trainer import Inputs, NotFinite, Row, Trainer

KEPT = 4  # trainers whose recorded steps a lane keeps for later runs of the same method


def fitting(inputs: Inputs, lane: Lane, folder: Path, report: Callable[[Row], None],
            warn: Callable[[str], None]) -> Generator[None, None, Row]:
    """Train and evaluate one run, resuming from ``folder`` if it was begun there; pauses after each step
    and between the parts of an evaluation, so that whoever drives it can give signs of life.

    ``report`` gets one row after each epoch. Returns the record's parts "result", "diagnosis" and "cost".
    Raises NotFinite with epoch and step when the loss is not finite.
    """
    trainer = trainer_on(lane, inputs, warn)
    state = checkpoint.load(folder, inputs.id, warn)
    curve, seconds = ([], []) if state is None else (state["curve"], state["seconds"])
    if state is not None:
        trainer.restore(state)
    logits = np.zeros(0)
    for epoch in range(len(curve), inputs.recipe.epochs):
        start = time.perf_counter()
        row = {"epoch": epoch + 1, **(yield from trainer.train_epoch(epoch))}
        trained = time.perf_counter() - start
        yield
        logits = trainer.predict("test")
        yield
        if not np.isfinite(logits).all():
            raise NotFinite(f"the logits are not finite after epoch {epoch + 1}")
        row |= evaluate(logits, inputs.data.test.true) | trainer.diagnose()
        curve.append(row)
        seconds.append([trained, time.perf_counter() - start - trained])
        yield  # whoever was put to sleep until another process took the run over must not write its checkpoint
        checkpoint.save(folder, {"id": inputs.id, **trainer.state(), "curve": curve, "seconds": seconds})
        report({**row, "images_per_second": len(trainer.data) / trained})
    if not len(logits):  # all epochs were done before; only the record was missing
        logits = trainer.predict("test")
        trainer.begin(inputs.recipe.epochs - 1)
    return {"result": result(curve, logits, inputs.data.test.true), "diagnosis": diagnosed(curve),
            "cost": cost(trainer, seconds)}


def finish(steps: Generator[None, None, Row]) -> Row:
    """Run a generator to its end; returns what it returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            row: Row = end.value
            return row


def trainer_on(lane: Lane, inputs: Inputs, warn: Callable[[str], None]) -> Trainer:
    """A trainer for a run: one of the lane's last, if its recorded steps serve this run too, or a new one."""
    trainer: Trainer | None = next((kept for kept in lane.kept if kept.take_over(inputs, warn)), None)
    if trainer is None:
        trainer = Trainer(inputs, lane, warn)
    else:
        lane.kept.remove(trainer)
    if lane.wanted != "eager":
        lane.kept = [trainer, *lane.kept][:KEPT]
    return trainer


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
