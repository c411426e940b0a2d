"""One run in training. Read ``advance`` and ``step``: they are the whole of training, whatever the device."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.profiler import record_function

from fer_bench.engine import diagnosis
from fer_bench.engine.capture import Step, Surroundings
from fer_bench.engine.data import TrainingData, make_clock, set_clock
from fer_bench.engine.evaluate import Evaluation
from fer_bench.engine.inputs import Inputs, build_method
from fer_bench.engine.keyed import seed_everything
from fer_bench.engine.lane import Lane, Runner, compiled_loss, plain_loss
from fer_bench.engine.optim import forget_moments, load_moments, lr_factor, make_optimiser, set_lr
from fer_bench.engine.pixels import Pixels
from fer_bench.engine.state import attributes, snapshot, state_of, take_over

Row = dict[str, Any]


class NotFinite(Exception):
    """The loss of a run became infinite or not a number."""


class Trainer:
    """One run in training: method, optimiser, clock and data, on a lane."""

    phase = record_function  # what brackets the parts of a step; a profile puts in something that waits for the device

    def __init__(self, inputs: Inputs, lane: Lane, warn: Callable[[str], None] = lambda line: None) -> None:
        self.lane, self.warn, self.recipe, self.device = lane, warn, inputs.recipe, lane.device
        self.data = TrainingData(inputs.data.train, inputs.recipe, inputs.seed, self.device)
        method = build_method(inputs, self.data.labels.cpu(), self.data.steps)
        self.data.declare(method.views, method.needs_votes)
        self.restarts = method.restarts()
        self.method = method.to(self.device).to(memory_format=torch.channels_last).train()
        self.optimiser = make_optimiser(self.method, self.recipe, self.device, lane.wanted != "eager")
        self.clock = make_clock(self.recipe.epochs, self.data.steps, self.device)
        self.losses = torch.zeros(self.data.steps, device=self.device)
        self.logged: dict[str, Tensor] = {}  # by place in the epoch's order
        self.begun, self.done = -1, 0  # the present epoch, and how many of its steps are done
        self.seen = attributes(self.method)
        self.run = self.runner(self.step, Surroundings(lambda: state_of(self.method, self.optimiser),
                                                       lambda: snapshot(self.method, self.optimiser), self.elsewhere))
        self.evaluations: dict[str, Evaluation] = {}
        self.set_up(inputs)

    def set_up(self, inputs: Inputs) -> None:
        """What concerns one run's seed and the faces to be predicted: test, validation, wrongly labelled."""
        self.inputs, self.faces, self.validation = inputs, inputs.data.train, inputs.data.validation
        self.wrong = np.flatnonzero(self.faces.given != self.faces.true)
        sets = {"test": inputs.data.test, "validation": self.validation, "wrong": self.faces.take(self.wrong)}
        kept, self.evaluations = self.evaluations, {}
        for name, faces in sets.items():
            if faces is not None and len(faces):
                pixels = Pixels(faces.images, self.device)
                if name in kept and kept[name].images.replace(pixels):
                    self.evaluations[name] = kept[name]
                else:
                    self.evaluations[name] = Evaluation(self.method, pixels, self.recipe, self.runner)

    def runner(self, step: Step, around: Surroundings) -> Runner:
        """How a step, or the prediction of a batch, is run on this lane."""
        return self.lane.runner(self.method, step, around, self.say)

    def say(self, line: str) -> None:
        """A warning of the run that is in training now."""
        self.warn(line)

    def predict(self, name: str) -> np.ndarray:
        """Logits float32 [N, C] of "test", "validation" or "wrong" faces."""
        logits: np.ndarray = self.evaluations[name].logits().cpu().numpy()
        return logits

    def take_over(self, inputs: Inputs, warn: Callable[[str], None] = lambda line: None) -> bool:
        """Start another run in place, so that what was recorded stays valid; False if the runs differ too much."""
        one, other = ((i.method, i.parameters, i.recipe, i.data.classes) for i in (inputs, self.inputs))
        if one != other or len(inputs.data.train) != len(self.data):
            return False
        data = TrainingData(inputs.data.train, inputs.recipe, inputs.seed, self.device)
        if data.votes.shape != self.data.votes.shape or not self.data.images.replace(data.images):
            return False
        fresh = build_method(inputs, data.labels.cpu(), data.steps).to(self.device).train()
        if not take_over(self.method, self.optimiser, fresh):
            return False
        self.warn, self.data.seed, self.begun = warn, inputs.seed, -1
        self.data.labels.copy_(data.labels)
        self.data.votes.copy_(data.votes)
        self.logged = {}
        self.set_up(inputs)
        return True

    def train_epoch(self, epoch: int) -> Iterator[None]:
        """One epoch, or the rest of one; pauses after each step, so that other runs can share the device. Nothing is
        read from it."""
        if self.begun != epoch:
            self.begin(epoch)
        for step in range(self.done, self.data.steps):
            self.advance(step)
            self.done = step + 1
            yield

    def trained(self) -> Row:
        """The mean loss of the epoch that was trained, and the learning rate of its last step. Raises NotFinite."""
        losses = self.finite_losses()
        sizes = np.array([self.data.size(step) for step in range(self.data.steps)], dtype=np.float32)
        last, _ = self.lr_factors((self.begun + 1) * self.data.steps - 1)
        return {"loss": float(np.cumsum(losses * sizes)[-1]) / len(self.data),
                "lr": self.optimiser.param_groups[0]["base_lr"] * last}

    def finite_losses(self) -> np.ndarray:
        """The losses of the present epoch's steps so far, float32. Raises NotFinite."""
        losses: np.ndarray = self.losses[: self.done].cpu().numpy()
        if not np.isfinite(losses).all():
            step = int(np.flatnonzero(~np.isfinite(losses))[0])
            raise NotFinite(f"the loss is not finite in epoch {self.begun + 1}, step {step + 1} of {self.data.steps}")
        return losses

    def lr_factors(self, step: int) -> tuple[float, float]:
        """What the learning rates are multiplied by at a step of the whole run; the second is for classifiers."""
        one, other = (lr_factor(self.recipe, step, self.data.steps, self.restarts, head) for head in (False, True))
        return one, other

    def begin(self, epoch: int) -> None:
        """Draw an epoch and let the method look at the faces."""
        self.begun, self.done = epoch, 0
        if epoch in self.restarts:
            forget_moments(self.optimiser)
        self.draw(epoch)
        self.method.begin_epoch(self.clock, self.data.sweep(self.method))
        if (seen := attributes(self.method)) != self.seen:  # a stage of its own, which Python tells it
            self.seen = seen
            self.run.forget()
            for evaluation in self.evaluations.values():
                evaluation.run.forget()

    def advance(self, step: int) -> None:
        """One step of the epoch: write all that changes into its tensors, then run the step as it is run here."""
        size = self.data.size(step)
        self.seek(step, *self.lr_factors(self.data.epoch * self.data.steps + step))
        loss, logged = self.run(size)
        self.losses[step].copy_(loss)
        start = step * self.recipe.batch_size
        for name, values in logged.items():
            kept = self.logged.setdefault(name, torch.zeros(len(self.data), device=self.device))
            kept[start : start + size].copy_(values)

    def seek(self, step: int, factor: float, head: float) -> None:
        """Go to a step of the epoch that was drawn, with the learning rates at ``factor`` of their bases, those of
        classifiers at ``head``."""
        count = self.data.epoch * self.data.steps + step
        seed_everything(self.device, "global", self.inputs.seed, count)  # for dropout in backbones; methods use draw
        set_lr(self.optimiser, factor, head)
        set_clock(self.clock, count)
        self.data.seek(step)

    def elsewhere(self, size: int) -> Generator[None, None, None]:
        """Go to a batch of ``size`` faces of the last epoch, to one of a middle epoch, with other learning rates, and
        back: where a recording is tried."""
        steps, epoch, step = self.data.steps, self.data.epoch, self.data.step
        those = [s for s in range(steps) if self.data.size(s) == size]
        points = (self.recipe.epochs - 1, those[-1], (0.3, 0.2)), (self.recipe.epochs // 2, those[0], (0.7, 0.8))
        try:
            for other, place, factors in points:
                self.draw(other)
                self.seek(place, *factors)
                yield
        finally:
            self.draw(epoch)
            self.seek(step, *self.lr_factors(epoch * steps + step))

    def draw(self, epoch: int) -> None:
        """Draw an epoch's order, augmentation and the method's own randomness."""
        set_clock(self.clock, epoch * self.data.steps)
        self.data.begin(self.method, epoch, self.clock)

    def step(self, size: int) -> tuple[Tensor, dict[str, Tensor]]:
        """One optimiser step on the batch that the data stands at; returns its loss and what the method logged.

        The same function is called, recorded, or compiled in its loss: see ``Lane``.
        """
        compute = compiled_loss() if self.lane.engine(self.method) == "compiled" else plain_loss
        with self.phase("data"):
            batch = self.data.batch(size)
        with self.phase("forward"):
            loss = compute(self.method, batch, self.clock)
        with self.phase("backward"):
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
        with self.phase("optimiser"), torch.no_grad():
            if self.recipe.clip_grad_norm is not None:
                torch.nn.utils.clip_grad_norm_(self.method.parameters(), self.recipe.clip_grad_norm)
            self.optimiser.step()
            self.method.after_step(self.clock)
        return loss.detach(), batch.logged

    def diagnose(self) -> Row:
        """Validation accuracy, memorisation of wrong labels, and what the logged weights say, after an epoch."""
        row: Row = {}
        if self.validation is not None:
            predicted = self.predict("validation").argmax(1)
            row["validation_overall"] = float((predicted == self.validation.given).mean())
        given, true = self.faces.given, self.faces.true
        if len(self.wrong):
            predicted = self.predict("wrong").argmax(1)
            row |= diagnosis.memorisation(predicted, given[self.wrong], true[self.wrong])
        if "weight" in self.logged:
            (seen, weight), votes = self.last_weights(), self.faces.votes
            row |= diagnosis.weight_quality(weight, given[seen], true[seen], None if votes is None else votes[seen])
        return row

    def last_weights(self) -> tuple[np.ndarray, np.ndarray]:
        """The training faces that the present epoch saw, int64 [K] (an order of the method's own may miss some), and
        the weight of each when it saw it last, float32 [K]; nothing where the method logs no weights."""
        if "weight" not in self.logged:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        seen, last = np.unique(self.data.order.cpu().numpy()[::-1], return_index=True)
        return seen, self.logged["weight"].cpu().numpy()[::-1][last]

    def state(self, epoch: int) -> Row:
        """What a checkpoint holds of the training itself; ``epoch`` is the first that is not over. Raises NotFinite:
        nobody wants to go on from there."""
        state = {"method": self.method.state_dict(), "optimiser": self.optimiser.state_dict()["state"], "steps": 0,
                 "logged": self.logged}
        if self.begun == epoch:
            self.finite_losses()
            state |= {"steps": self.done, "losses": self.losses}
        return state

    def restore(self, state: Row, epoch: int) -> None:
        """Go back to a checkpoint. The optimiser's settings come from the recipe, whatever device wrote it."""
        self.load(state)
        if state.get("steps"):  # amid an epoch: to begin it sets what is no tensor, then the tensors come back
            self.begin(epoch)
            self.load(state)
            self.done = state["steps"]
            self.losses.copy_(state["losses"])
        self.logged = {name: values.to(self.device) for name, values in state.get("logged", {}).items()}

    def load(self, state: Row) -> None:
        """Take the tensors of a checkpoint."""
        self.method.load_state_dict(state["method"])
        load_moments(self.optimiser, state["optimiser"])
