"""DAN, Distract your Attention Network (Wen et al., 2021): several attention heads that are made to differ.

Each of K = 4 heads is a spatial attention on the maps and then a channel attention; z = BN(fc(sum of the heads)), the
heads being log-softmaxed over the heads first. L = CE + affinity + partition: affinity = mean |f - c_y|^2 / sum var
of the centres c (learnt), f the pooled features; partition = log(1 + K / mean variance over the heads). yaoing/DAN at
3872eef, first weights of the heads included. Its published mean accuracy was of single batches (issues 11 and 18),
corrected since.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.parts.batch_norm import BatchNorm, MapNorm
from fer_bench.registry import register


def convolution(channels: int, out: int, size: tuple[int, int]) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out, size, padding=(size[0] // 2, size[1] // 2)), MapNorm(out))


class Head(nn.Module):
    """Cross attention: maps [B, D, h, w] to [B, D]."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        half, small = dim // 2, max(dim // 16, 4)
        self.squeeze = convolution(dim, half, (1, 1))
        self.shapes = nn.ModuleList([convolution(half, dim, size) for size in ((3, 3), (1, 3), (3, 1))])
        self.channels = nn.Sequential(nn.Linear(dim, small), BatchNorm(small), nn.ReLU(), nn.Linear(small, dim))
        for name, p in self.named_parameters():
            if p.dim() > 1:
                nn.init.kaiming_normal_(p, mode="fan_out") if p.dim() == 4 else nn.init.normal_(p, std=0.001)
            elif name.endswith("bias"):
                nn.init.zeros_(p)

    def forward(self, maps: Tensor) -> Tensor:
        squeezed = self.squeeze(maps)
        attention = F.relu(sum(shape(squeezed) for shape in self.shapes)).sum(1, keepdim=True)
        pooled = (maps * attention).mean((2, 3))
        return pooled * torch.sigmoid(self.channels(pooled))


@register("dan", paper="Wen et al., 2021", year=2021, family="fer", passes=1.5)
class DAN(Method):
    paper_recipe: ClassVar[dict[str, Any]] = {
        "optimiser": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4, "schedule": "step",
        "milestones": ((10, 0.1), (20, 0.01), (30, 0.001)), "batch_size": 256, "epochs": 40,
        "augment": {"flip": 0.5, "erase": 0.5, "erase_scale": (0.02, 0.25)},
        "colour": "rgb", "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    paper_sources: ClassVar[dict[str, str]] = {
        "code": "yaoing/DAN at 3872eef", "optimiser, momentum, weight_decay": "rafdb.py:179", "lr": "rafdb.py:31",
        "schedule, milestones": "rafdb.py:180", "batch_size": "rafdb.py:30", "epochs": "rafdb.py:33",
        "flip": "rafdb.py:137", "erase, erase_scale": "rafdb.py:145", "colour": "rafdb.py:70",
        "mean, std": "rafdb.py:143-144", "weights": "resnet18_msceleb.pth (networks/dan.py:15-16)",
        "left out": "turns by 20 degrees with crops from 32 px of padding, for a fifth of the faces (rafdb.py:138-141)"}

    def __init__(self, context: Context, *, heads: int = 4, affinity: float = 1.0, partition: float = 1.0) -> None:
        super().__init__(context)
        self.affinity, self.partition = affinity, partition
        self.heads = nn.ModuleList([Head(self.net.dim) for _ in range(heads)])
        self.norm = BatchNorm(context.num_classes)
        self.centres = nn.Parameter(torch.randn(context.num_classes, self.net.dim))

    def attend(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [B, C] and the heads after their log-softmax [B, K, D]."""
        heads = torch.stack([head(maps) for head in self.heads], 1)
        if len(self.heads) > 1:
            heads = heads.log_softmax(1)
        return self.norm(self.net.head(heads.sum(1))), heads

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        maps: Tensor = self.net.features(batch.images)
        logits, heads = self.attend(maps)
        distance = (maps.mean((2, 3)) - self.centres[batch.labels]).square().sum(1).mean()
        affinity = distance / self.centres.var(0).sum()
        loss: Tensor = F.cross_entropy(logits, batch.labels) + self.affinity * affinity
        if len(self.heads) > 1:
            loss = loss + self.partition * torch.log(1 + len(self.heads) / (heads.var(1).mean() + 1e-8))
        return loss

    def predict(self, images: Tensor) -> Tensor:
        return self.attend(self.net.features(images))[0]
