"""CCT, Consensual Collaborative Training (Gera and Balasubramanian, 2021): three networks that learn to agree.

L = (1 - m) sum of three CE / 3 + m sum of the six pairwise KL / 3, m = .9 exp(-.65 (1 - e / .9E)^2) (1980x/CCT at
f7a39b4, algorithm/loss.py:32-54, which writes .33 for 1/3). Predicts with the mean of the three networks'
probabilities, as evaluate() in algorithm/noisyfer.py; the logits are its logarithm.

Paper and code: the abstract says that one network, distilled from the three, predicts; the published figures are of
the best single network in some logs and of the mean in others.
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
          needs=("3 networks",), passes=3, schedule_epochs=100)
class CCT(Method):
    paper_recipe: ClassVar[dict[str, Any]] = {
        "optimiser": "adam", "lr": 1e-3, "head_lr": 10.0, "weight_decay": 0.0, "schedule": "exponential", "gamma": 0.95,
        "batch_size": 252, "epochs": 100,
        "augment": {"noise": 0.25, "flip": 0.5, "erase": 0.5, "erase_scale": (0.02, 0.25)},
        "colour": "rgb", "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    paper_sources: ClassVar[dict[str, str]] = {
        "code": "1980x/CCT at f7a39b4", "optimiser, lr": "algorithm/noisyfer.py:55-59",
        "head_lr": "main_rafdb.py:24, algorithm/noisyfer.py:55-59: classifiers have .01",
        "weight_decay": "algorithm/noisyfer.py:55: none", "schedule, gamma": "algorithm/noisyfer.py:257-258,323",
        "batch_size": "logs/rafdb.txt:4; 256 for FERPlus, 128 by default", "epochs": "main_rafdb.py:45",
        "noise": "main_rafdb.py:129,165-167", "flip": "main_rafdb.py:237", "erase, erase_scale": "main_rafdb.py:247",
        "colour": "main_rafdb.py:161", "mean, std": "main_rafdb.py:245-246",
        "weights": "res18_naive.pth_MSceleb.tar (models/cnn.py:33, logs/rafdb.txt:13)",
        "left out": "colour jitter, moves and zooms for half of the faces (main_rafdb.py:238-241)"}

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
