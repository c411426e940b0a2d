"""Over-sampling: cross-entropy on epochs in which every class is equally likely.

Each place of an epoch draws a face with probability 1 / (C n_y), with replacement; C counts the classes with a face,
and an epoch has as many steps as ever. Buda et al. compare over-sampling, which is older, with other cures; there
faces of rare classes are replicated until the imbalance is gone, which makes epochs longer. The usual sampler of
AffectNet's papers, often left unsaid.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.parts.sampling import balanced_order
from fer_bench.registry import register


@register("oversample", paper="Buda et al., Neural Networks 2018", year=2018, family="imbalance", needs=("own order",))
class Oversample(Method):
    given: Tensor  # int64 [N], the given labels

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.register_buffer("given", context.labels.clone())

    def order(self, clock: Clock, generator: torch.Generator) -> Tensor:
        return balanced_order(self.given.cpu(), generator)

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        return F.cross_entropy(self.net(batch.images), batch.labels)
