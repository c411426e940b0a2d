"""Balanced softmax (Ren et al., NeurIPS 2020): train with the logarithm of the class counts added to the logits.

L = CE(z + log n, y); the plain z predict (jiawei-ren/BalancedMetaSoftmax loss/BalancedSoftmaxLoss.py:37-51 at
34a61e4). A class without a face counts as having one: with log 0 it would leave the softmax, and its logit would never
be trained down.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.registry import register


@register("balanced-softmax", paper="Ren et al., NeurIPS 2020", year=2020, family="imbalance")
class BalancedSoftmax(Method):
    log_counts: Tensor  # float32 [C]

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        counts = context.class_counts.clamp(min=1).to(torch.get_default_dtype())
        self.register_buffer("log_counts", counts.log())

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        return F.cross_entropy(self.net(batch.images) + self.log_counts, batch.labels)
