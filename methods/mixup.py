"""Mixup (Zhang et al., ICLR 2018): train on weighted means of two faces and of their losses.

x = lam x_i + (1 - lam) x_j, L = lam CE(z, y_i) + (1 - lam) CE(z, y_j), lam ~ Beta(alpha, alpha) once per batch, j a
permutation of the batch. Reported for the paper: alpha from .2 to 1. alpha 0 mixes nothing (lam 1).
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.registry import register


@register("mixup", paper="Zhang et al., ICLR 2018", year=2018, family="noise")
class Mixup(Method):
    def __init__(self, context: Context, *, alpha: float = 1.0) -> None:
        super().__init__(context)
        self.alpha = alpha

    def draw(self, generator: torch.Generator, size: int) -> dict[str, Tensor]:
        seed = int(torch.randint(2**62, (), generator=generator))
        share = np.random.default_rng(seed).beta(self.alpha, self.alpha) if self.alpha else 1.0
        return {"share": torch.full((size,), share), "partner": torch.randperm(size, generator=generator)}

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        share, partner = batch.draws["share"], batch.draws["partner"]
        weight = share[:, None, None, None]
        logits = self.net(weight * batch.images + (1 - weight) * batch.images[partner])
        own = F.cross_entropy(logits, batch.labels, reduction="none")
        other = F.cross_entropy(logits, batch.labels[partner], reduction="none")
        return (share * own + (1 - share) * other).mean()
