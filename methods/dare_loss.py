"""DARE, dynamic adversarial repulsion enhancement (Zhai et al., ORSANet, ACM MM 2025): a margin to the strongest rival.

L = CE(z, y) + weight mean -log softmax over {y, r} of (z_y, z_r + T (1 - p_y)) at y, r the class of the largest other
logit, no gradient through p: the less a label is believed, the larger the margin by which it must beat its rival; all
other classes are left out. T 1, weight .1. The first `warmup` of the epochs: CE + 2 CE with labels smoothed by .2
(Wenyuzhy/ORSANet-master utils.py:10-56, train.py:135-161 at acf2843; DRAELoss there. Of the paper only the abstract was
at hand).

This is the loss alone, on any network: ORSANet's own, with maps of face parts and landmarks, is another backbone. Its
training takes two passes a step (sharpness-aware minimisation, rho .05) and draws all classes equally often
(train.py:95-107: `raf` is no name of its datasets, so RAF-DB too); neither is the loss's, and neither is here. The
recipe of its log of RAF-DB: Adam, 4e-5 (the script's default is 1e-5), .98 per epoch, 400 epochs of batches of 20;
warm-up 5 of them. It flips half of the faces and erases .02 to .1 of half (train.py:40-46).
"""

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.registry import register


@register("dare-loss", paper="Zhai et al., ACM MM 2025", year=2025, family="fer", schedule_epochs=400)
class DARELoss(Method):
    paper_recipe: ClassVar[dict[str, Any]] = {
        "optimiser": "adam", "lr": 4e-5, "weight_decay": 0.0, "schedule": "exponential", "gamma": 0.98,
        "batch_size": 20, "epochs": 400, "augment": {"flip": 0.5, "erase": 0.5, "erase_scale": (0.02, 0.1)},
        "colour": "rgb", "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    paper_sources: ClassVar[dict[str, str]] = {
        "code": "Wenyuzhy/ORSANet-master at acf2843", "optimiser": "train.py:120; its two passes are left out",
        "lr": "ours: that of its log of RAF-DB, log/rafdb_92.28.log", "weight_decay": "train.py:126: none",
        "schedule, gamma": "train.py:127", "batch_size": "train.py:19", "epochs": "train.py:26", "flip": "train.py:41",
        "erase, erase_scale": "train.py:45", "colour": "ours: Pillow's default, as its ImageFolder reads",
        "mean, std": "train.py:44", "weights": "ours: its network is another (models/ir50.py)"}

    def __init__(
        self, context: Context, *, weight: float = 0.1, temperature: float = 1.0, warmup: float = 0.0125,
        smoothing: float = 0.2, smooth_weight: float = 2.0,
    ) -> None:
        super().__init__(context)
        self.weight, self.temperature, self.warmup = weight, temperature, warmup
        self.smoothing, self.smooth_weight = smoothing, smooth_weight

    def repulsion(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of label against rival, [B] of logits [B, C]."""
        label = logits.gather(1, labels[:, None]).squeeze(1)
        rival = logits.masked_fill(F.one_hot(labels, logits.shape[1]).bool(), -torch.inf).amax(1)
        doubt = 1 - logits.detach().softmax(1).gather(1, labels[:, None]).squeeze(1)
        return F.softplus(rival + self.temperature * doubt - label)

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        logits: Tensor = self.net(batch.images)
        smooth = self.smooth_weight * F.cross_entropy(logits, batch.labels, label_smoothing=self.smoothing)
        repelled = self.weight * self.repulsion(logits, batch.labels).mean()
        early = clock.epoch < self.warmup * clock.epochs
        return F.cross_entropy(logits, batch.labels) + torch.where(early, smooth, repelled)
