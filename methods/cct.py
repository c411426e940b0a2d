"""CCT, Consensual Collaborative Training (Gera and Balasubramanian, 2021): three networks that learn to agree.

L = (1 - m) sum of three CE / 3 + m sum of the six pairwise KL / 3, m = .9 exp(-.65 (1 - e / .9E)^2) (1980x/CCT at
f7a39b4, algorithm/loss.py:32-54, which writes .33 for 1/3). Predicts with the mean of the three networks' logits; the
published figures are of the best single network in some places and of the mean in others.
"""

from typing import Any, ClassVar

from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.parts.divergence import symmetric_kl
from fer_bench.parts.ramps import mimicry
from fer_bench.registry import register


@register("cct", paper="Gera and Balasubramanian, 2021", year=2021, family="fer", needs=("3 networks",), passes=3)
class CCT(Method):
    paper_recipe: ClassVar[dict[str, Any]] = {"batch_size": 256, "lr": 1e-3, "epochs": 100}

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
        logits: Tensor = sum(net(images) for net in self.nets) / 3  # type: ignore[assignment]
        return logits
