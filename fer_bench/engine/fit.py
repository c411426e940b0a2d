"""Fit one run: from a prepared dataset to the numbers of its record. Read ``training``, then trainer.py."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from fer_bench.engine import checkpoint
from fer_bench.engine.cost import cost
from fer_bench.engine.further import Trained, trained
from fer_bench.engine.inputs import Inputs
from fer_bench.engine.lane import Lane
from fer_bench.engine.metrics import confusion_matrix, evaluate
from fer_bench.engine.saver import EVERY, Saver, always
from fer_bench.engine.trainer import NotFinite, Row, Trainer

KEPT = 4  # trainers whose recorded steps a lane keeps for later runs of the same method
T = TypeVar("T")
Further = Callable[[Trained], Row]  # a finished run to JSON data


def fitting(inputs: Inputs, lane: Lane, folder: Path, report: Callable[[Row], None], warn: Callable[[str], None],
            every: float = EVERY, held: Callable[[], bool] = always, further: Sequence[Further] = (),
            outcomes: list[Row] | None = None) -> Generator[None, None, Row]:
    """``training``, from which the record's parts "result", "diagnosis" and "cost" are made; ``outcomes`` gets what
    each further test of the trained network gives."""
    progress, logits = yield from training(inputs, lane, folder, report, warn, every, held)
    for test in further:
        assert outcomes is not None
        outcomes.append(test(trained(progress.trainer, logits.argmax(1))))
        yield
    return {"result": result(progress.curve, logits, inputs.data.test.true), "diagnosis": diagnosed(progress.curve),
            "cost": cost(progress.trainer, progress.seconds)}


def training(inputs: Inputs, lane: Lane, folder: Path, report: Callable[[Row], None], warn: Callable[[str], None],
             every: float = EVERY, held: Callable[[], bool] = always
             ) -> Generator[None, None, tuple[Progress, np.ndarray]]:
    """Train and evaluate one run, resuming from ``folder`` if it was begun there; pauses after each step
    and between the parts of an evaluation, so that whoever drives it can give signs of life.

    ``report`` gets one row after each epoch. every: seconds between two saves of the state; a run that is closed at a
    pause saves it, too, and one that is broken off saves that of its last whole epoch. held: whether the run is still
    ours to save. Returns the run's progress and the logits of the test faces after the last epoch, float32 [N, C].
    Raises NotFinite with epoch and step when the loss is not finite.
    """
    trainer = trainer_on(lane, inputs, warn)
    progress, saver = Progress(trainer), Saver(folder, every, held, warn)
    if (state := checkpoint.load(folder, inputs.id, warn)) is not None:
        progress.restore(state)
    last: Row | None = None
    try:
        logits = yield from epochs(progress, saver, report)
        last = saver.kept  # the trained network, which further tests may be asked for later
    except BaseException as error:
        last = saver.kept
        if isinstance(error, GeneratorExit):  # at a pause, so between two steps
            with contextlib.suppress(NotFinite, RuntimeError):  # the loss is lost, or the device
                last = progress.state()
        raise
    finally:
        saver.end(last)
    return progress, logits


class Progress:
    """How far a run is: the rows of its epochs, their seconds of training and evaluation, and its trainer."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer, self.inputs = trainer, trainer.inputs
        self.curve: list[Row] = []
        self.seconds: list[list[float]] = []
        self.start = time.perf_counter()  # of the present epoch, less what it had before an interruption

    def state(self) -> Row:
        """What a checkpoint holds."""
        return {"id": self.inputs.id, **self.trainer.state(len(self.curve)), "curve": list(self.curve),
                "seconds": list(self.seconds), "spent": time.perf_counter() - self.start}

    def restore(self, state: Row) -> None:
        """Go back to a checkpoint."""
        self.curve, self.seconds = state["curve"], state["seconds"]
        self.trainer.restore(state, len(self.curve))
        self.start = time.perf_counter() - (state["spent"] if state.get("steps") else 0)


def epochs(progress: Progress, saver: Saver, report: Callable[[Row], None]) -> Generator[None, None, np.ndarray]:
    """The epochs that are left; returns the logits of the test faces after the last one, float32 [N, C]."""
    trainer, inputs = progress.trainer, progress.inputs
    logits = np.zeros(0)
    for epoch in range(len(progress.curve), inputs.recipe.epochs):
        for _ in trainer.train_epoch(epoch):
            yield
            if saver.due():
                saver.save(progress.state())
        row = {"epoch": epoch + 1, **trainer.trained()}
        trained = time.perf_counter() - progress.start
        yield
        logits = trainer.predict("test")
        yield
        if not np.isfinite(logits).all():
            raise NotFinite(f"the logits are not finite after epoch {epoch + 1}")
        row |= evaluate(logits, inputs.data.test.true) | trainer.diagnose()
        now = time.perf_counter()
        progress.curve.append(row)
        progress.seconds.append([trained, now - progress.start - trained])
        progress.start = now
        yield
        saver.keep(progress.state())
        report({**row, "images_per_second": len(trainer.data) / trained})
    if not len(logits):  # all epochs were done before; only the record was missing
        logits = trainer.predict("test")
        trainer.begin(inputs.recipe.epochs - 1)
    return logits


def finish(steps: Generator[None, None, T]) -> T:
    """Run a generator to its end; returns what it returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: T = end.value
            return found


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
