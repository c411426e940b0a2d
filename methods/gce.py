"""GCE, generalised cross-entropy (Zhang and Sabuncu, NeurIPS 2018): between cross-entropy and mean absolute error.

L = mean of (1 - p_y^q) / q, q = .7; q must be > 0 (near 0 it is cross-entropy, at 1 mean absolute error). `truncate`
k > 0 leaves faces with p_y < k out of the gradient (truncated loss, k = .5), from the share `start` of the epochs on:
at first no face reaches k. The paper prunes the training set between rounds of training; here p_y of the step decides.
`start` .33 is epoch 40 of 120, where the unofficial AlanChou/Truncated-Loss first prunes for CIFAR-10 (main.py at
93a2464, README.md: the paper's values; 80 of 150 for CIFAR-100); it prunes by its best network, every tenth epoch.
"""

import math

import torch
from torch import Tensor

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.registry import register


@register("gce", paper="Zhang and Sabuncu, NeurIPS 2018", year=2018, family="noise")
class GCE(Method):
    def __init__(self, context: Context, *, q: float = 0.7, truncate: float = 0.0, start: float = 0.33) -> None:
        super().__init__(context)
        self.q, self.truncate = q, truncate
        self.first = math.ceil(start * context.epochs - 1e-6)  # epoch with which truncation begins

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        log_p: Tensor = self.net(batch.images).log_softmax(1).gather(1, batch.labels[:, None]).squeeze(1)
        power = (self.q * log_p).exp()  # p^q without the infinite slope of a power at 0
        power = torch.where(clock.epoch < self.first, power, power.clamp(min=self.truncate**self.q))
        return ((1 - power) / self.q).mean()
