"""Methods that each break one rule of ``fer_bench/method.py``, with the check that must catch them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import conformance as must
import conformance_values as values
import torch
from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method

MUTANTS: list[tuple[type[Method], Callable[..., None]]] = []


def caught_by(*checks: Callable[..., None]) -> Callable[[type[Method]], type[Method]]:
    def note(mutant: type[Method]) -> type[Method]:
        MUTANTS.extend((mutant, check) for check in checks)
        return mutant
    return note


class Plain(Method):
    """Cross-entropy, which breaks nothing."""

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        return self.each(batch, self.net(batch.images), clock).mean()

    def each(self, batch: Batch, logits: Tensor, clock: Clock) -> Tensor:
        """The loss of each face [B]."""
        return F.cross_entropy(logits, batch.labels, reduction="none")


@caught_by(must.check_randomness_is_drawn)
class GlobalRandomNumbers(Plain):
    def each(self, batch, logits, clock):
        return super().each(batch, logits, clock) * torch.rand(len(logits))


@caught_by(must.check_same_seed_same_result, must.check_randomness_is_drawn)
class PythonRandomNumbers(Plain):
    def each(self, batch, logits, clock):
        return super().each(batch, logits, clock) * random.random()


@caught_by(must.check_same_seed_same_result)
class StartsFromTheTime(Plain):
    def __init__(self, context: Context) -> None:
        super().__init__(context)
        torch.manual_seed(time.time_ns())
        torch.nn.init.normal_(self.net.head.weight)


@caught_by(values.check_loss)
class LooksAtVotesUnasked(Plain):
    def each(self, batch, logits, clock):
        return super().each(batch, logits, clock) * batch.votes.amax(1)


@caught_by(values.check_draw)
class DrawsWithoutTheGenerator(Plain):
    def draw(self, generator, size):
        return {"noise": torch.rand(size)}


@caught_by(values.check_draw)
class DrawsOneNumberForAll(Plain):
    def draw(self, generator, size):
        return {"noise": torch.rand(3, generator=generator)}


@caught_by(values.check_order)
class ShufflesWithoutTheGenerator(Plain):
    def order(self, clock, generator):
        return torch.randperm(94)


@caught_by(values.check_order)
class VisitsHalf(Plain):
    def order(self, clock, generator):
        return torch.arange(47)


@caught_by(must.check_other_seed_other_loss)
class IgnoresTheData(Plain):
    def loss(self, batch, clock):
        return self.net.head.bias.sum() * 0 + self.net(torch.zeros(2, 1, 24, 24)).sum() * 0


@caught_by(must.check_no_host_reads)
class BranchesOnATensor(Plain):
    def each(self, batch, logits, clock):
        losses = super().each(batch, logits, clock)
        return losses * 2 if losses.mean().item() > 1 else losses


@caught_by(must.check_no_host_reads)
class BranchesOnTheEpoch(Plain):
    def each(self, batch, logits, clock):
        return super().each(batch, logits, clock) * (2 if clock.epoch > 1 else 1)


@caught_by(must.check_no_host_reads)
class SelectsByAMask(Plain):
    def each(self, batch, logits, clock):
        losses = super().each(batch, logits, clock)
        return losses[losses >= losses.detach().median()]


@caught_by(must.check_no_host_reads)
class ReadsAfterTheStep(Plain):
    def after_step(self, clock):
        self.norm = float(self.net.head.weight.norm())


@caught_by(must.check_no_host_reads)
class KeepsATensorOnTheHost(Plain):
    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.prior = (context.class_counts / context.num_samples).log()

    def each(self, batch, logits, clock):
        return super().each(batch, logits + self.prior, clock)


@caught_by(must.check_prediction_of_a_face_alone, must.check_predicting_changes_nothing)
class PredictsInTrainingMode(Plain):
    def predict(self, images):
        self.train()
        return self.net(images)


@caught_by(must.check_prediction_of_a_face_alone)
class CentresLogitsOverTheBatch(Plain):
    def predict(self, images):
        logits = self.net(images)
        return logits - logits.mean(0)


@caught_by(must.check_predicting_changes_nothing)
class CountsPredictions(Plain):
    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.register_buffer("seen", torch.zeros(()))

    def predict(self, images):
        self.seen += len(images)
        return self.net(images)


@caught_by(must.check_predicting_changes_nothing)
class PredictsIntoTheNextLoss(Plain):
    scale = 1.0

    def each(self, batch, logits, clock):
        return super().each(batch, logits, clock) * self.scale

    def predict(self, images):
        self.scale = 0.5
        return self.net(images)


@caught_by(must.check_labels_are_left_alone)
class RelabelsTheContext(Plain):
    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.register_buffer("labels", context.labels)

    def each(self, batch, logits, clock):
        self.labels.index_copy_(0, batch.index, logits.argmax(1))
        return super().each(batch, logits, clock)


@caught_by(must.check_labels_are_left_alone)
class RelabelsTheBatch(Plain):
    def each(self, batch, logits, clock):
        losses = F.cross_entropy(logits, batch.labels.clone(), reduction="none")
        batch.labels.copy_((batch.labels + 1) % 4)
        return losses


@caught_by(must.check_resume_is_exact, must.check_resume_after_damage)
class RemembersInAList(Plain):
    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.hardness = [1.0] * context.num_samples

    def each(self, batch, logits, clock):
        losses = super().each(batch, logits, clock)
        rows = batch.index.tolist()
        known = torch.tensor([self.hardness[row] for row in rows])
        for row, value in zip(rows, losses.tolist(), strict=True):
            self.hardness[row] = value
        return losses * known


@caught_by(must.check_resume_is_exact, must.check_copy_and_state_dict)
class AveragesOutsideTheState(Plain):
    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.average = torch.zeros(context.num_classes)

    def each(self, batch, logits, clock):
        self.average = 0.9 * self.average + 0.1 * logits.detach().mean(0)
        return F.cross_entropy(logits + self.average, batch.labels, reduction="none")


@caught_by(values.check_hyper_parameters)
class TakesAnObject(Plain):
    def __init__(self, context: Context, *, folder: Any = Path("here")) -> None:  # noqa: B008
        super().__init__(context)


@caught_by(values.check_hyper_parameters)
class TakesATuple(Plain):
    def __init__(self, context: Context, *, margins: Any = (0.1, 0.2)) -> None:
        super().__init__(context)


@caught_by(must.check_batch_of_one)
class DividesByTheSpread(Plain):
    def each(self, batch, logits, clock):
        losses = super().each(batch, logits, clock)
        return losses / losses.detach().std(correction=0)


@caught_by(must.check_bf16)
class PredictsInHalfPrecision(Plain):
    def predict(self, images):
        return self.net(images).bfloat16()


@caught_by(values.check_logged)
class LogsOneNumber(Plain):
    def each(self, batch, logits, clock):
        losses = super().each(batch, logits, clock)
        batch.log(weight=losses.mean())
        return losses


@caught_by(values.check_loss)
class TrainsTheHeadOnly(Plain):
    def loss(self, batch, clock):
        return F.cross_entropy(self.net.head(self.net.embed(batch.images).detach()), batch.labels)


@caught_by(values.check_loss)
class ReturnsALossPerFace(Plain):
    def loss(self, batch, clock):
        return self.each(batch, self.net(batch.images), clock)
