"""DACL, Deep Attentive Center Loss (Farzaneh and Qi, WACV 2021), and the plain center loss (Wen et al., ECCV 2016).

L = CE + lam / 2 mean_i sum_d A_id (f_id - c_yd)^2, f the pooled features, lam .01. Centres are no parameters:
after each batch c_j moves by alpha (.5) times the sum of its faces' A (f - c) over 1 + their number. A in (0, 1), one
per feature, comes from a two-way softmax of a context network on the maps (widths 7D, D, 64, as 3584, 512, 64 there);
`center-loss` has A = 1: the baseline of DACL, with its lam and alpha (workspace.py), not those of Wen et al.
amirhfarzaneh/dacl at c41e9e8, first weights of the context network included; there centres begin at random, here at 0.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.parts.batch_norm import BatchNorm
from fer_bench.registry import register


@register("dacl", paper="Farzaneh and Qi, WACV 2021", year=2021, family="fer", passes=1.1)
@register("center-loss", paper="Wen et al., ECCV 2016", year=2016, family="fer", preset={"attention": False})
class DACL(Method):
    centres: Tensor  # float32 [C, D]
    paper_recipe: ClassVar[dict[str, Any]] = {
        "optimiser": "sgd", "lr": 0.01, "momentum": 0.9, "weight_decay": 5e-4, "schedule": "step",
        "milestones": ((20, 0.1), (40, 0.01)), "batch_size": 64, "epochs": 60, "augment": {"crop": 0.0714, "flip": 0.5},
        "colour": "rgb", "mean": (0.5752, 0.4495, 0.4012), "std": (0.2086, 0.1911, 0.1827)}
    paper_sources: ClassVar[dict[str, str]] = {
        "code": "amirhfarzaneh/dacl at c41e9e8", "optimiser": "main.py:116-118", "lr": "workspace.py:20",
        "momentum": "workspace.py:21", "weight_decay": "workspace.py:22", "schedule, milestones": "main.py:122",
        "batch_size": "workspace.py:23; the paper is said to have 128", "epochs": "workspace.py:24",
        "flip": "main.py:67", "crop": "ours: by 16 px, for one of the five crops of 224 from 256 px (main.py:65-66)",
        "colour": "main.py:62: ImageFolder", "mean, std": "main.py:59-60",
        "weights": "MS-Celeb (workspace.py:25, README.md:29)",
        "left out": "the central 224 of 256 px in the test (main.py:82-83); here the whole face"}

    def __init__(
        self, context: Context, *, lam: float = 0.01, alpha: float = 0.5, attention: bool = True
    ) -> None:
        super().__init__(context)
        self.lam, self.alpha = lam, alpha
        dim, height, width = context.map_shape(self.net)
        self.register_buffer("centres", torch.zeros(context.num_classes, dim))
        self.context = nn.Sequential(
            nn.Linear(dim * height * width, 7 * dim), BatchNorm(7 * dim), nn.ReLU(), nn.Linear(7 * dim, dim),
            BatchNorm(dim), nn.ReLU(), nn.Linear(dim, 64), BatchNorm(64), nn.Tanh(), nn.Linear(64, 2 * dim),
        ) if attention else None
        for layer in self.context or ():
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight)
                nn.init.zeros_(layer.bias)

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        maps: Tensor = self.net.features(batch.images)
        features = maps.mean((2, 3))
        difference = features - self.centres[batch.labels]
        attention = torch.ones_like(features)
        if self.context is not None:
            attention = self.context(maps.flatten(1)).view(len(maps), -1, 2).softmax(2)[:, :, 1]
        squares = attention * difference.square()
        self.move((attention * difference).detach(), batch.labels)
        return F.cross_entropy(self.net.head(features), batch.labels) + self.lam / 2 * squares.sum(1).mean()

    def move(self, difference: Tensor, labels: Tensor) -> None:
        """Take the centres towards their faces, in place."""
        onehot = F.one_hot(labels, len(self.centres)).to(difference.dtype)
        self.centres.add_(self.alpha * (onehot.T @ difference) / (1 + onehot.sum(0))[:, None])
