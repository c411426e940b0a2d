"""ELR, early-learning regularisation (Liu et al., NeurIPS 2020): stay near what was predicted before memorising began.

L = CE + lam mean log(1 - <t_i, p_i>), t_i = beta t_i + (1 - beta) p_i for each face i, p clamped to 1e-4 .. 1 - 1e-4
and normalised in t (shengliu66/ELR model/loss.py:21-29 at 934af53). beta .7 and lam 3 are its CIFAR-10 values; with
the few epochs of FER they may want another choice.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.registry import register


@register("elr", paper="Liu et al., NeurIPS 2020", year=2020, family="noise", needs=("per-sample state",))
class ELR(Method):
    targets: Tensor  # float32 [N, C], the moving average of each face's predictions

    def __init__(self, context: Context, *, beta: float = 0.7, lam: float = 3.0) -> None:
        super().__init__(context)
        self.beta, self.lam = beta, lam
        self.register_buffer("targets", torch.zeros(context.num_samples, context.num_classes))

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        logits: Tensor = self.net(batch.images)
        probabilities = logits.softmax(1).clamp(1e-4, 1 - 1e-4)
        known = probabilities.detach()
        targets = self.beta * self.targets[batch.index] + (1 - self.beta) * known / known.sum(1, keepdim=True)
        self.targets.index_copy_(0, batch.index, targets)
        return F.cross_entropy(logits, batch.labels) + self.lam * (1 - (targets * probabilities).sum(1)).log().mean()
