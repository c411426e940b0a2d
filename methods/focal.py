"""Focal loss (Lin et al., ICCV 2017) in its multi-class softmax form: faces that are already easy count less.

L = mean of (1 - p_y)^gamma * (-log p_y), gamma = 2; p_y is the softmax probability of the given label.
Code elsewhere: LDAM-DRW losses.py:7-21 computes p_y from an already class-weighted cross-entropy, which is then no
probability (and trains with gamma = 1, cifar_train.py:214); other repositories use the one-vs-rest sigmoid form.
"""

from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.registry import register


@register("focal", paper="Lin et al., ICCV 2017", year=2017, family="imbalance")
class Focal(Method):
    def __init__(self, context: Context, *, gamma: float = 2.0) -> None:
        super().__init__(context)
        self.gamma = gamma

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        cross_entropy = F.cross_entropy(self.net(batch.images), batch.labels, reduction="none")
        weight = (1 - (-cross_entropy).exp()).clamp(min=0) ** self.gamma
        batch.log(weight=weight)
        return (weight * cross_entropy).mean()
