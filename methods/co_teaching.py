"""Co-teaching (Han et al., NeurIPS 2018): two networks, each trained on the faces that the other finds easy.

Each network learns from the (1 - R) share of the batch with the other's smallest losses; R rises linearly to the
noise rate over the first `ramp` of the epochs (10 epochs in the paper; 10 of sixty here). Predicts with the first
network. Paper and code (bhanML/Co-teaching loss.py:8-29, main.py:134-135 at 7c7fbe2): in the code R is 0 to the noise
rate over epochs 0 to 9 and training begins with epoch 1, so R is a ninth of it at first and all of it in the ninth
epoch; in the paper, and here, a tenth at first and all of it in the tenth. The code divides the mean loss by the number
of kept faces once more; ours is the plain mean. One optimiser holds both networks, which for Adam is the same as two.
`oracle_rate` gives R the true share of wrong labels, as the paper does. Without it, and where no true share is known,
`forget_rate` is used.
"""

from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.parts.small_loss import kept_share, mean_over, smallest
from fer_bench.registry import register


@register("co-teaching", paper="Han et al., NeurIPS 2018", year=2018, family="noise",
          needs=("2 networks", "noise rate"), passes=2, schedule_epochs=60)
class CoTeaching(Method):
    def __init__(
        self, context: Context, *, oracle_rate: bool = True, forget_rate: float = 0.2, ramp: float = 0.16666666666666666
    ) -> None:
        super().__init__(context)
        self.peer = context.backbone()
        self.rate = context.noise_rate if oracle_rate and context.noise_rate is not None else forget_rate
        self.ramp = ramp

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        one, other = (F.cross_entropy(net(batch.images), batch.labels, reduction="none")
                      for net in (self.net, self.peer))
        share = kept_share(clock, self.rate, self.ramp)
        for_one, for_other = smallest(other, share), smallest(one, share)
        batch.log(weight=(for_one.to(one.dtype) + for_other) / 2)
        return mean_over(one, for_one) + mean_over(other, for_other)
