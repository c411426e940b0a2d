"""JoCoR (Wei et al., CVPR 2020): two networks trained as one on the faces on which they are right and agree.

l_i = (1 - lam) (CE_1 + CE_2) + lam (KL_12 + KL_21); the (1 - R) share with the smallest l_i is kept (hongxin001/JoCoR
algorithm/loss.py:20-40 at 86db359). R, also its difference from the code, as in co-teaching: without `oracle_rate`, and
where no true share of wrong labels is known, it rises to `forget_rate`. The script halves R for asymmetric noise
(algorithm/jocor.py); ours does not. lam .1 is the default of their script; their README advises .5 to .9, and .9 for
CIFAR-10 (`lam=0.9`). Predicts with the first network.
"""

from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.parts.divergence import symmetric_kl
from fer_bench.parts.small_loss import kept_share, mean_over, smallest
from fer_bench.registry import register


@register("jocor", paper="Wei et al., CVPR 2020", year=2020, family="noise", needs=("2 networks", "noise rate"),
          passes=2, schedule_epochs=60)
class JoCoR(Method):
    def __init__(
        self, context: Context, *, oracle_rate: bool = True, forget_rate: float = 0.2,
        ramp: float = 0.16666666666666666, lam: float = 0.1,
    ) -> None:
        super().__init__(context)
        self.peer = context.backbone()
        self.rate = context.noise_rate if oracle_rate and context.noise_rate is not None else forget_rate
        self.ramp, self.lam = ramp, lam

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        one, other = self.net(batch.images), self.peer(batch.images)
        right = sum(F.cross_entropy(z, batch.labels, reduction="none") for z in (one, other))
        losses = (1 - self.lam) * right + self.lam * symmetric_kl(one, other)
        kept = smallest(losses, kept_share(clock, self.rate, self.ramp))
        batch.log(weight=kept.to(losses.dtype))
        return mean_over(losses, kept)
