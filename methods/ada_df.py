"""Ada-DF (Liu et al., ICASSP 2023): a second branch learns label distributions that the first one and its class make.

Two branches (stages 2 to 4), logits weighted by alpha = sigmoid(linear(features)) each. With a, the mean of both alphas
stretched to .2 .. 1 over the batch: target = (1 - a) softmax(aux) + a D[y]; D[c], found anew before each epoch, is the
mean auxiliary prediction of the faces of class c if its own entry reaches the threshold (.7), else threshold at c and
the rest even. L = down CE(aux) + up KL(target || main) + RR of the mean alpha (SCN's, margin .07, top .7); up and down
are ramps around `turn` of the epochs (3 of 75). Gradients flow into target and a. The main branch predicts.

Differences from taylor-xy0827/Ada-DF at 1f033a5, model.py:17-52, train.py:142-216: its fall-back row sums to .4 +
threshold (utils.py:74), here to 1; its D comes from augmented faces, here from plain ones; it freezes stem and stage 1,
since they come from face weights: `freeze=true`, as on track `paper`. In both the main branch begins as a copy of the
other, classifier included.
"""

import copy
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method, Sweep
from fer_bench.parts.ramps import ramp_down, ramp_up
from fer_bench.registry import register


@register("ada-df", paper="Liu et al., ICASSP 2023", year=2023, family="fer", needs=("sweeps",), passes=1.6,
          schedule_epochs=75)
class AdaDF(Method):
    given: Tensor  # int64 [N], the given labels
    distributions: Tensor  # float32 [C, C], D
    fallback: Tensor  # float32 [C, C]
    paper_recipe: ClassVar[dict[str, Any]] = {
        "optimiser": "adam", "lr": 1e-3, "weight_decay": 0.0, "schedule": "exponential", "gamma": 0.9,
        "batch_size": 64, "epochs": 75,
        "augment": {"flip": 0.5, "randaugment": 3, "magnitude": 5.0, "erase": 0.5, "erase_scale": (0.02, 0.25)},
        "colour": "rgb", "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    paper_parameters: ClassVar[dict[str, Any]] = {"freeze": True}
    paper_sources: ClassVar[dict[str, str]] = {
        "code": "taylor-xy0827/Ada-DF at 1f033a5", "optimiser": "train.py:93", "lr": "train.py:20",
        "weight_decay": "train.py:93: none", "schedule, gamma": "train.py:32,95", "batch_size": "train.py:19",
        "epochs": "train.py:18", "flip": "dataset.py:164",
        "randaugment, magnitude": "dataset.py:163", "erase, erase_scale": "dataset.py:167",
        "colour": "dataset.py:72: RAF-DB's own", "mean, std": "dataset.py:158-159", "freeze": "model.py:22-24",
        "weights": "resnet18_msceleb.pth (model.py:18-19)",
        "left out": "RandAugment's operations that this suite lacks, and the spread of strengths (auto_augment.py:568)"}

    def __init__(
        self, context: Context, *, threshold: float = 0.7, turn: float = 0.04, margin: float = 0.07, top: float = 0.7,
        freeze: bool = False,
    ) -> None:
        super().__init__(context)
        self.threshold, self.turn, self.margin, self.top = threshold, turn, margin, top
        self.main = copy.deepcopy(self.net.stages("layer2"))
        self.main_head = copy.deepcopy(self.net.head)
        self.aux_alpha, self.main_alpha = nn.Linear(self.net.dim, 1), nn.Linear(self.net.dim, 1)
        self.register_buffer("given", context.labels.clone())
        even = (1 - threshold) / (context.num_classes - 1)
        self.register_buffer("fallback", torch.eye(context.num_classes) * (threshold - even) + even)
        self.register_buffer("distributions", self.fallback.clone())
        if freeze:
            late = {id(p) for p in self.net.stages("layer2").parameters()}
            for p in self.net.trunk.parameters():
                p.requires_grad_(id(p) in late)

    def branches(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weighted logits [B, C] of the auxiliary and of the main branch, and the mean of their alphas [B, 1]."""
        maps, given = self.net.features_and_input(images, "layer2")
        aux, main = maps.mean((2, 3)), self.net.branch(self.main, given).mean((2, 3))
        aux_alpha, main_alpha = torch.sigmoid(self.aux_alpha(aux)), torch.sigmoid(self.main_alpha(main))
        mean = (aux_alpha + main_alpha) / 2
        return aux_alpha * self.net.head(aux), main_alpha * self.main_head(main), mean

    def classifiers(self) -> list[nn.Module]:
        return [*super().classifiers(), self.main_head]

    def begin_epoch(self, clock: Clock, sweep: Sweep) -> None:
        if int(clock.epoch) == 0:
            return
        sums, counts = torch.zeros_like(self.distributions), torch.zeros_like(self.distributions[:, 0])

        def visit(images: Tensor, index: Tensor) -> None:
            onehot = F.one_hot(self.given[index], len(counts)).to(sums.dtype)
            sums.add_(onehot.T @ self.branches(images)[0].softmax(1))
            counts.add_(onehot.sum(0))

        sweep(visit)
        means = sums / counts.clamp(min=1)[:, None]
        sure = means.diagonal() >= self.threshold
        self.distributions.copy_(torch.where(sure[:, None], means, self.fallback))

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        aux, main, alpha = self.branches(batch.images)
        low, high = alpha.min(), alpha.max()
        a = 0.2 + 0.8 * (alpha - low) / (high - low).clamp(min=1e-6)
        target = (1 - a) * aux.softmax(1) + a * self.distributions[batch.labels]
        apart = (target * (target.clamp(min=1e-12).log() - main.log_softmax(1))).sum(1).mean()
        epoch, turn = clock.epoch + 1, self.turn * clock.epochs
        batch.log(weight=alpha.squeeze(1))
        return (ramp_down(epoch, turn, 1.0) * F.cross_entropy(aux, batch.labels)
                + ramp_up(epoch, turn, 1.0) * apart + self.rank(alpha))

    def rank(self, alpha: Tensor) -> Tensor:
        """max(0, margin - (mean of the top share of alpha - mean of the others)), alpha [B, 1]."""
        high, low = alpha.sort(0, descending=True).values.tensor_split([int(len(alpha) * self.top)])
        if not (len(high) and len(low)):
            return alpha.new_zeros(())
        return (self.margin - (high.mean() - low.mean())).clamp(min=0)

    def predict(self, images: Tensor) -> Tensor:
        return self.branches(images)[1]
