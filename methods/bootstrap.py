"""Bootstrapping (Reed et al., ICLR 2015 workshop): the label is believed in part, the network's own prediction in part.

Soft: L = -sum_c (beta onehot_c + (1 - beta) p_c) log p_c, beta .95, the gradient also flows through p_c outside the
logarithm. Hard (`bootstrap-hard`): the most probable class instead of p, beta .8.
"""

from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.registry import register


@register("bootstrap", paper="Reed et al., ICLR 2015 workshop", year=2015, family="noise")
@register("bootstrap-hard", paper="Reed et al., ICLR 2015 workshop", year=2015, family="noise",
          preset={"target": "hard", "beta": 0.8})
class Bootstrap(Method):
    def __init__(self, context: Context, *, target: Literal["soft", "hard"] = "soft", beta: float = 0.95) -> None:
        super().__init__(context)
        self.target, self.beta = target, beta

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        logits: Tensor = self.net(batch.images)
        log_p = logits.log_softmax(1)
        if self.target == "soft":
            own = -(log_p.exp() * log_p).sum(1).mean()
        else:
            own = F.cross_entropy(logits, logits.argmax(1))
        return self.beta * F.cross_entropy(logits, batch.labels) + (1 - self.beta) * own
