"""ProSelfLC, progressive self label correction (Wang et al., CVPR 2021): predictions are believed, the later the more.

L = mean of -sum_c ((1 - e) onehot_c + e p_c) log p_c, e = g l, no gradient through e. g = 1 / (1 + exp(-b (t / T -
turn))) believes the network more as the steps t of T go by, l = 1 - H(p) / log C those faces whose prediction is sure
(paper, equation 7; `turn` is .5 there). The gradient also flows through p_c outside the logarithm, as in `bootstrap`
(XinshaoAmosWang/ProSelfLC-AT src/proselflc/slices/losses/proselflc.py:73-140 at 363b037; the paper does not say). The
code counts t from 1 to T, as here, and adds 1e-6 inside the logarithm, which is left out here. The paper searches b on
held-out faces among 8, 10 and 12 (CIFAR-100, Table 5), of which 10 stands here; its code searches 4 to 14, and `turn`
.2 to .7.

It was trained on no faces, so track `paper` leaves the recipe as it is. CIFAR-100's (tests/convnets,
..._proselflc_covnets.py:36-66, and optim/sgd_multistep.py:41-42): a fifth of the rate at epochs 60, 120 and 160 of 200.
The paper itself counts steps: 30,000 with batches of 256; 10,000 at .01 for Clothing1M.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.registry import register


@register("proselflc", paper="Wang et al., CVPR 2021", year=2021, family="noise", schedule_epochs=200)
class ProSelfLC(Method):
    def __init__(self, context: Context, *, b: float = 10.0, turn: float = 0.5) -> None:
        super().__init__(context)
        self.b, self.turn = b, turn

    def trust(self, log_p: Tensor, clock: Clock) -> Tensor:
        """e [B] of log-probabilities [B, C]."""
        done = (clock.step + 1) / (clock.epochs * clock.steps_per_epoch)
        entropy = -(log_p.exp() * log_p).sum(1)
        return torch.sigmoid(self.b * (done - self.turn)) * (1 - entropy / math.log(log_p.shape[1]))

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        log_p: Tensor = self.net(batch.images).log_softmax(1)
        trust = self.trust(log_p.detach(), clock)[:, None]
        target = (1 - trust) * F.one_hot(batch.labels, log_p.shape[1]) + trust * log_p.exp()
        return -(target * log_p).sum(1).mean()
