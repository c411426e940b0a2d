"""CCT, Consensual Collaborative Training (Gera and Balasubramanian, 2021): three networks that learn to agree.

L = (1 - m) sum of three CE / 3 + m sum of the six pairwise KL / 3, m = .9 exp(-.65 (1 - e / .9E)^2) (1980x/CCT at
f7a39b4, algorithm/loss.py:32-54, which writes .33 for 1/3). Predicts with the mean of the three networks'
probabilities, as evaluate() in algorithm/noisyfer.py; the logits are its logarithm.

Paper and code: the abstract says that one network, distilled from the three, predicts; the published figures are of
the best single network in some logs and of the mean in others. The code trains its classifiers with ten times the
rate, and without weight decay (noisyfer.py); batches are 252 and 256 in its logs, 128 by default.
"""

import math
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.parts.divergence import symmetric_kl
from fer_bench.parts.ramps import mimicry
from fer_bench.registry import register


@register("cct", paper="Gera and Balasubramanian, arXiv 2107.04746, 2021", year=2021, family="fer",
          needs=("3 networks",), passes=3)
class CCT(Method):
    paper_recipe: ClassVar[dict[str, Any]] = {
        "batch_size": 256, "lr": 1e-3, "epochs": 100, "optimiser": "adam", "weight_decay": 0.0,
        "schedule": "exponential", "gamma": 0.95}

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.second, self.third = context.backbone(), context.backbone()

    @property
    def nets(self) -> tuple[Any, ...]:
        return self.net, self.second, self.third

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        a, b, c = (net(batch.images) for net in self.nets)
        right = sum(F.cross_entropy(z, batch.labels) for z in (a, b, c)) / 3
        apart = (symmetric_kl(a, b) + symmetric_kl(a, c) + symmetric_kl(b, c)).mean() / 3
        m = mimicry(clock.epoch, clock.epochs)
        return (1 - m) * right + m * apart

    def predict(self, images: Tensor) -> Tensor:
        log_p = torch.stack([net(images).log_softmax(1) for net in self.nets])
        return log_p.logsumexp(0) - math.log(3)
