"""SCN, Self-Cure Network (Wang et al., CVPR 2020): weigh faces by a learned importance, then relabel doubtful ones.

alpha = sigmoid(Linear(embedding)); loss = CE(alpha * z, y) + max(0, margin_1 - (mean of the beta B largest alpha
- mean of the others)). From epoch `relabel_epoch` (counted from 1) a face whose P_max - P_label exceeds margin_2
gets its most probable class as label, for good.
Paper and code (kaiwang960112/Self-Cure-Network src/train.py at 9f4c3ad): the paper is reported to relabel the
low-importance group only; the code relabels every face (l.250-258): `relabel_scope=low` and `all` (default: the code).
margin_1: the README says .15 for the paper's batches of 1024 and advises .07 for batches of 64. The paper is reported
to halve both losses, which changes the scale only. The code trains from ImageNet whatever weights it is given, since
its key names never match (l.141-158); ours load strictly or fail.
"""

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.registry import register


@register("scn", paper="Wang et al., CVPR 2020", year=2020, family="fer", needs=("per-sample state",),
          schedule_epochs=70)
class SCN(Method):
    labels: Tensor  # int64 [N]; what SCN believes: the given labels at first
    paper_recipe: ClassVar[dict[str, Any]] = {
        "optimiser": "adam", "lr": 1e-3, "weight_decay": 1e-4, "schedule": "exponential", "gamma": 0.9,
        "batch_size": 64, "epochs": 70,
        "augment": {"noise": 0.25, "flip": 0.25, "erase": 0.5, "erase_scale": (0.02, 0.25)},
        "colour": "rgb", "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    paper_sources: ClassVar[dict[str, str]] = {
        "code": "kaiwang960112/Self-Cure-Network at 9f4c3ad, src/", "optimiser, weight_decay": "train.py:194",
        "lr": "train.py:194: Adam's default, since --lr is for sgd", "schedule, gamma": "train.py:202",
        "batch_size": "train.py:26", "epochs": "train.py:31",
        "noise, flip": "train.py:60,72-74: one of the two, each for a quarter of the faces; apart here",
        "erase, erase_scale": "train.py:166", "colour": "train.py:68", "mean, std": "train.py:164-165",
        "weights": "ImageNet (train.py:135-136), whatever --pretrained names (l.141-158)"}

    def __init__(
        self,
        context: Context,
        *,
        beta: float = 0.7,
        margin_1: float = 0.07,
        margin_2: float = 0.2,
        relabel_epoch: int = 10,
        relabel_scope: Literal["all", "low"] = "all",
    ) -> None:
        super().__init__(context)
        self.importance = nn.Linear(self.net.dim, 1)
        self.register_buffer("labels", context.labels.clone())
        self.beta, self.margin_1, self.margin_2 = beta, margin_1, margin_2
        self.relabel_epoch, self.relabel_scope = relabel_epoch, relabel_scope

    def weighted(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits times importance [B, C], and the importance alpha [B]. The head's bias is weighted too (l.101)."""
        embedding = self.net.embed(images)
        alpha = torch.sigmoid(self.importance(embedding))
        return alpha * self.net.head(embedding), alpha.squeeze(1)

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        logits, alpha = self.weighted(batch.images)
        labels = self.labels[batch.index]
        batch.log(weight=alpha)
        ranked = alpha.sort(descending=True).indices
        high, low = ranked.tensor_split([int(len(alpha) * self.beta)])
        regularisation = logits.new_zeros(())
        if len(high) and len(low):  # a batch of one has no groups to rank
            regularisation = (self.margin_1 - (alpha[high].mean() - alpha[low].mean())).clamp(min=0)
        self.relabel(logits.detach(), labels, batch.index, low, clock)
        return F.cross_entropy(logits, labels) + regularisation

    def relabel(self, logits: Tensor, labels: Tensor, index: Tensor, low: Tensor, clock: Clock) -> None:
        """Write new labels; each face comes once an epoch, so they are first used in the next one, as in the code."""
        probabilities = logits.softmax(1)
        top, predicted = probabilities.max(1)
        doubtful = top - probabilities.gather(1, labels[:, None]).squeeze(1) > self.margin_2
        if self.relabel_scope == "low":
            doubtful = doubtful & torch.zeros_like(doubtful).index_fill(0, low, True)
        due = doubtful & (clock.epoch + 1 >= self.relabel_epoch)
        self.labels.index_copy_(0, index, torch.where(due, predicted, labels))

    def predict(self, images: Tensor) -> Tensor:
        return self.weighted(images)[0]
