"""Drives a real trainer on the pretended card through all that can happen to a run, and says what came of it."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException
from torch.utils._pytree import tree_map

from fer_bench.engine.data import make_clock, set_clock
from fer_bench.engine.inputs import Inputs
from fer_bench.engine.state import Itself
from fer_bench.engine.trainer import Trainer
from fer_bench.fake.counts import Counts, Report, Work
from fer_bench.fake.device import HOST, FakeLane, on_host, pretend
from fer_bench.fake.watch import Watch
from fer_bench.fake.where import place, raised
from fer_bench.method import Method
from fer_bench.nets.backbone import backbone_maker
from fer_bench.protocols.prepare import Faces, Prepared
from fer_bench.protocols.protocol import Recipe

TAIL = 6  # faces in an epoch's last batch, unless the number of faces is given
STEP = ("data", "forward", "backward", "optimiser", "rest")


def drive(method_class: type[Method], parameters: dict[str, Any], recipe: Recipe, *, faces: int | None = None,
          test_faces: int = 40, stored_size: int = 100, classes: int = 7, wrong: float = 0.3,
          check: bool = True) -> Report:
    """Build a method, train a first and a last epoch of it, evaluate, save, restore, go on, and let two share a lane.

    Of an epoch one full step or the last one is taken, so that real numbers of faces cost no more than few. faces: a
    batch and a small one if None. stored_size: pixels of the stored faces' sides. wrong: the share of wrong labels.
    check: keep the rules; without, only count. Whatever goes wrong is in the report.
    """
    watch = Watch(recipe.precision == "bf16")
    data = blank_data(recipe.batch_size + TAIL if faces is None else faces, test_faces, stored_size, classes, wrong)
    make = backbone_maker(recipe.backbone, len(recipe.mean), classes, recipe.precision == "bf16", "none")
    inputs = [Inputs("pretended", method_class, parameters, recipe, data, seed, make) for seed in (0, 1)]
    gc.disable()
    try:
        with pretend(watch):
            counts = Drive(watch, inputs[0], check).all(inputs[1])
    except (DataDependentOutputException, DynamicOutputShapeException) as error:
        what = f"{error.func}: a value is read from the device; stay on it: torch.where, masks, clamp"
        return Report(None, [*watch.problems, f"{watch.part}: {what},{place(raised(error))}"])
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        what = f"{watch.part}: {type(error).__name__}: {text},{place(raised(error))}"
        return Report(None, list(watch.problems), what)
    finally:
        gc.freeze()  # torch 2.14 crashes when the collector takes pretended parameters and gradients apart
        gc.enable()
    return Report(counts, list(watch.problems))


def blank_data(faces: int, test_faces: int, size: int, classes: int, wrong: float) -> Prepared:
    """Black colour faces; labels in turn, a share of them wrong, ten votes each for the true one."""

    def blank(count: int, share: float) -> Faces:
        true = np.arange(count) % classes
        given = np.where(np.random.default_rng(0).random(count) < share, (true + 1) % classes, true)
        return Faces(np.zeros((count, size, size, 3), np.uint8), given, true, tuple(map(str, range(count))),
                     10 * np.eye(classes, dtype=np.float32)[true])

    return Prepared(tuple(f"class{c}" for c in range(classes)), blank(faces, wrong), None,
                    blank(test_faces, 0.0))


def stages(trainer: Trainer) -> list[tuple[object, ...]]:
    """The plain attributes of a method, by which it may tell its stages."""
    return [attribute for attribute in trainer.seen if not isinstance(attribute[-1], Itself)]


class Pretended(Trainer):
    """A trainer whose clock is the host's while it begins an epoch, since methods read it there."""

    watch: Watch

    def begin(self, epoch: int) -> None:
        with on_host():
            clock = make_clock(self.recipe.epochs, self.data.steps, HOST)
            set_clock(clock, epoch * self.data.steps)
        of_steps, self.clock = self.clock, clock
        try:
            super().begin(epoch)
        finally:
            self.clock = of_steps


class Drive:
    """One method's way through a run. ``all`` is the whole of it."""

    def __init__(self, watch: Watch, inputs: Inputs, check: bool) -> None:
        self.watch, self.inputs, self.check = watch, inputs, check
        self.trainer = self.new_trainer()
        self.first = stages(self.trainer)
        self.steps: list[tuple[dict[str, Work], int]] = []  # each full step's work by part, and peak memory
        self.sweeps: list[tuple[Work, int, int]] = []  # each epoch's sweep: work, peak memory, faces
        self.swept = 0

    def all(self, other: Inputs) -> Counts:
        """Everything. other: the same run with another seed."""
        trainer, epochs, tail = self.trainer, self.inputs.recipe.epochs, self.trainer.data.steps - 1
        self.begin(trainer, 0)
        self.step(trainer, tail, warm=True)  # what is made in a first step may be
        self.step(trainer, 0)
        resident = self.watch.live
        self.begin(trainer, epochs - 1)
        evaluation, peak = self.evaluate(trainer)
        state = self.save()
        self.step(trainer, tail)
        self.share(state, other)
        work, step_peak = self.steps[0]
        sweep, sweep_peak, swept = max(self.sweeps, key=lambda sweep: sweep[0].flops)
        return Counts(work, evaluation, len(self.inputs.data.test), sweep, swept, resident, step_peak, peak,
                      sweep_peak, sum(p.numel() for p in trainer.method.parameters()))

    def new_trainer(self) -> Pretended:
        """A trainer whose parts of a step count apart."""
        trainer = Pretended(self.inputs, FakeLane())
        trainer.phase = self.watch.during  # type: ignore[assignment,method-assign]
        view, sweep = trainer.data.view, trainer.data.sweep

        def counted_view(*args: Any) -> Tensor:  # a second view is asked for within the loss
            with self.watch.during("data"):
                return view(*args)

        def counted_sweep(method: Method) -> Any:
            run = sweep(method)

            def swept(visit: Any) -> None:
                self.swept += len(trainer.data)
                with self.watch.during("sweep", self.check):
                    run(visit)

            return swept

        trainer.data.view, trainer.data.sweep = counted_view, counted_sweep  # type: ignore[method-assign,assignment]
        return trainer

    def begin(self, trainer: Trainer, epoch: int) -> None:
        """Begin an epoch, and keep what the method's sweeps took."""
        self.watch.begin()
        self.swept = 0
        with self.watch.during("begin"):
            trainer.begin(epoch)
        work = self.watch.work["sweep"] + self.watch.work["begin"]
        self.sweeps.append((work, self.watch.peak, self.swept) if self.swept else (Work(), 0, 0))

    def step(self, trainer: Trainer, step: int, warm: bool = False) -> None:
        """One step; keep what a full one took. warm: things may be made in it that later ones use."""
        self.watch.begin()
        with self.watch.during("rest", self.check and not warm):
            trainer.advance(step)
        if not warm and trainer.data.size(step) == min(trainer.recipe.batch_size, len(trainer.data)):
            self.steps.append(({part: self.watch.work[part] for part in STEP}, self.watch.peak))

    def evaluate(self, trainer: Trainer) -> tuple[Work, int]:
        """Predict every set of faces; the work of the test set, and peak memory."""
        found = Work()
        for name, evaluation in trainer.evaluations.items():
            self.watch.begin()
            with self.watch.during("evaluation", self.check):
                evaluation.logits()
            if name == "test":
                found, peak = self.watch.work["evaluation"], self.watch.peak
        return found, peak

    def save(self) -> Any:
        """The state as a checkpoint holds it, on the host; the trainer goes back to it."""
        with self.watch.during("checkpoint"):
            state = self.trainer.state(self.trainer.begun + 1)  # of an epoch's end, where no loss is read
            state = tree_map(lambda value: value.cpu() if isinstance(value, Tensor) else value, state)
            self.trainer.restore(state, 0)
        return state

    def share(self, state: Any, other: Inputs) -> None:
        """Go on from a checkpoint in a fresh trainer, in turns with another seed in the place of the first one."""
        fresh = self.new_trainer()
        with self.watch.during("checkpoint"):
            fresh.restore(state, 0)
        self.begin(fresh, self.inputs.recipe.epochs - 1)
        with self.watch.during("take over"):
            taken = self.trainer.take_over(other)
            if not taken and stages(self.trainer) == self.first and self.check:  # one with stages is built anew
                self.watch.problem("the next seed cannot use its recordings; keep no tensors outside of buffers")
        if taken:
            self.begin(self.trainer, 0)
            self.step(self.trainer, 0)
        self.step(fresh, 0, warm=True)
