"""RUL, Relative Uncertainty Learning (Zhang et al., NeurIPS 2021): mix the features of two faces by their uncertainty.

Two heads on the feature maps give mu and log variance (64 numbers); s_i = mean exp(log variance). With a permutation
pi of the batch, m_i = (s_i mu_i + s_pi(i) mu_pi(i)) / (s_i + s_pi(i)): the more uncertain face has the larger share.
L = .5 CE(fc m, y_i) + .5 CE(fc m, y_pi(i)). fc(mu) predicts. Paper and
code (zyh-uaiaaaa/Relative-Uncertainty-Learning rul.py:12-51, utils.py:30-44 at 63b73f2): the paper pairs faces of
different classes, the code any two. The code trains fc with ten times the rate (main.py:77-80), as the paper recipe
does; `fc_lr=10` asks for it under any recipe.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.parts.batch_norm import BatchNorm, MapNorm
from fer_bench.parts.dropout import draw_seeds, seeded_dropout
from fer_bench.registry import register


class MapHead(nn.Module):
    """Feature maps [B, D, h, w] to [B, 64]."""

    def __init__(self, shape: tuple[int, int, int], dim: int, dropout: float) -> None:
        super().__init__()
        self.maps, self.dropout = MapNorm(shape[0], eps=2e-5, affine=False), dropout
        self.linear, self.norm = nn.Linear(shape[0] * shape[1] * shape[2], dim), BatchNorm(dim, eps=2e-5)

    def forward(self, maps: Tensor, seeds: Tensor | None = None) -> Tensor:
        vectors = self.maps(maps).flatten(1)
        if seeds is not None:
            vectors = seeded_dropout(vectors, seeds, self.dropout)
        normed: Tensor = self.norm(self.linear(vectors))
        return normed


@register("rul", paper="Zhang et al., NeurIPS 2021", year=2021, family="fer")
class RUL(Method):
    paper_recipe: ClassVar[dict[str, Any]] = {
        "optimiser": "adam", "lr": 2e-4, "head_lr": 10.0, "weight_decay": 1e-4, "schedule": "exponential", "gamma": 0.9,
        "batch_size": 64, "epochs": 60,
        "augment": {"noise": 0.25, "flip": 0.25, "erase": 0.5, "erase_scale": (0.02, 0.25)},
        "colour": "rgb", "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    paper_sources: ClassVar[dict[str, str]] = {
        "code": "zyh-uaiaaaa/Relative-Uncertainty-Learning at 63b73f2, src/",
        "optimiser, lr, weight_decay": "main.py:77-79", "head_lr": "main.py:79: fc has .002",
        "schedule, gamma": "main.py:80", "batch_size": "main.py:28", "epochs": "main.py:29",
        "noise, flip": "dataset.py:27,47-49: one of the two, each for a quarter of the faces; apart here",
        "erase, erase_scale": "main.py:46", "colour": "dataset.py:43", "mean, std": "main.py:44-45",
        "weights": "resnet18_msceleb.pth (main.py:25)"}

    def __init__(self, context: Context, *, dim: int = 64, dropout: float = 0.4, fc_lr: float = 1.0) -> None:
        super().__init__(context)
        shape = context.map_shape(self.net)
        self.mu, self.log_variance = MapHead(shape, dim, dropout), MapHead(shape, dim, dropout)
        self.net.head, self.fc_lr = nn.Linear(dim, context.num_classes), fc_lr

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        fc = list(self.net.head.parameters())
        others = [p for p in self.parameters() if all(p is not own for own in fc)]
        return [{"params": others, "lr": lr}, {"params": fc, "lr": self.fc_lr * lr}]

    def draw(self, generator: torch.Generator, size: int) -> dict[str, Tensor]:
        return {"partner": torch.randperm(size, generator=generator), "mu": draw_seeds(generator, size),
                "log_variance": draw_seeds(generator, size)}

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        maps, partner = self.net.features(batch.images), batch.draws["partner"]
        mu = self.mu(maps, batch.draws["mu"])
        uncertainty = self.log_variance(maps, batch.draws["log_variance"]).exp().mean(1, keepdim=True)
        batch.log(weight=1 / uncertainty.squeeze(1))
        share = uncertainty / (uncertainty + uncertainty[partner])
        logits = self.net.head(share * mu + (1 - share) * mu[partner])
        return (F.cross_entropy(logits, batch.labels) + F.cross_entropy(logits, batch.labels[partner])) / 2

    def predict(self, images: Tensor) -> Tensor:
        logits: Tensor = self.net.head(self.mu(self.net.features(images)))
        return logits
