"""cRT (Kang et al., ICLR 2020): learn features on all faces, then re-train the classifier on balanced ones.

Cross-entropy throughout. From `start` of the epochs on (.8) the backbone is frozen, batch statistics included, the
classifier begins anew from its first weights, classes are drawn equally often, and the optimiser and the recipe's
schedule begin anew for this stage. Differences from facebookresearch/classifier-balancing: its second stage has epochs
of its own beside the first one's, its frozen backbone still moves its batch statistics (`model.train()` on all), and
its classifier is drawn anew. A run of one epoch has no first stage's end: it stays in the first.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method, Sweep
from fer_bench.parts.sampling import balanced_order
from fer_bench.registry import register


@register("crt", paper="Kang et al., ICLR 2020", year=2020, family="imbalance", needs=("own order",))
class ClassifierRetraining(Method):
    given: Tensor  # int64 [N], the given labels
    first_weight: Tensor  # float32 [C, D], of the classifier before any training
    first_bias: Tensor  # float32 [C]

    def __init__(self, context: Context, *, start: float = 0.8) -> None:
        super().__init__(context)
        self.second, self.frozen = max(1, math.ceil(start * context.epochs - 1e-6)), False  # first epoch of stage two
        self.epochs = context.epochs
        self.register_buffer("given", context.labels.clone())
        self.register_buffer("first_weight", self.net.head.weight.detach().clone())
        self.register_buffer("first_bias", self.net.head.bias.detach().clone())

    def restarts(self) -> tuple[int, ...]:
        return (self.second,) if self.second < self.epochs else ()

    def order(self, clock: Clock, generator: torch.Generator) -> Tensor | None:
        return balanced_order(self.given.cpu(), generator) if int(clock.epoch) >= self.second else None

    def begin_epoch(self, clock: Clock, sweep: Sweep) -> None:
        self.frozen = int(clock.epoch) >= self.second
        if int(clock.epoch) == self.second:
            with torch.no_grad():
                self.net.head.weight.copy_(self.first_weight)
                self.net.head.bias.copy_(self.first_bias)

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        self.net.trunk.train(not self.frozen)
        with torch.set_grad_enabled(not self.frozen and torch.is_grad_enabled()):
            features = self.net.embed(batch.images)
        return F.cross_entropy(self.net.head(features), batch.labels)
