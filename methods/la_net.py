"""LA-Net's label distributions (Wu and Cui, ICCV 2023), without its landmarks: neighbours say what else a face shows.

Of each batch, the K most similar other faces (cosine of the features, K 8) predict a face's distribution: d_i = sum_j
w_ij p_j, w_ij in proportion to s(f_i, f_j), a small network's score of the pair, over i's neighbours j. Target t_i =
m b_i + (1 - m) d_i; b_i, at first the one-hot label, becomes t_i. L = CE(z, y) + lam KL(t || softmax z), lam 1. The
gradient flows through d: into the scores and the neighbours' predictions. m is .9 in 80 epochs there, a memory of ten;
`memory` is that share, so that the labels are outgrown in a short training, too.

hw-tony/LA-Net at 74bb121: layers.py:97-162, loss.py:24-43, resnet.py:119-130; the paper itself was not at hand. Here is
what needs faces and labels alone. There neighbours are found in the features of 19 detected landmarks, too, d is the
mean of both kinds, and two more terms are in L: the detection of landmarks (weight 1) and a contrastive loss between
features of expression and of landmarks, with a momentum network and a queue of 8,192 (weight .1). So the half of the
method that keeps identity out of the neighbours is missing, and no number of the paper is to be expected. Its sampler,
which moves from the given classes to balanced ones over training (dataloader.py:149-173), is not used. The score is the
first of two outputs of softmax(MLP(a_i, b_j)), a and b halves of a linear map of the features.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.parts.teacher import decay_over
from fer_bench.registry import register


class PairScore(nn.Module):
    """s(f_i, f_j) in (0, 1) of all pairs of features [B, D]: [B, B] (layers.py:97-114)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.halves = nn.Linear(dim, dim)
        self.pair = nn.Linear(dim // 2 * 2, dim // 2)
        self.rest = nn.Sequential(nn.ReLU(), nn.Linear(dim // 2, dim // 4), nn.ReLU(), nn.Linear(dim // 4, 2))

    def forward(self, features: Tensor) -> Tensor:
        size = features.shape[1] // 2
        mapped, weight = self.halves(features), self.pair.weight
        # the layer on each pair is a sum of two: a table of all pairs of features would be D times larger
        one = F.linear(mapped[:, :size], weight[:, :size])
        other = F.linear(mapped[:, size:2 * size], weight[:, size:], self.pair.bias)
        scores: Tensor = self.rest(one[:, None] + other).softmax(-1)[..., 0]
        return scores


@register("la-net", paper="Wu and Cui, ICCV 2023, without landmarks", year=2023, family="fer",
          needs=("per-sample state",), schedule_epochs=80)
class LANet(Method):
    targets: Tensor  # float32 [N, C], b
    paper_recipe: ClassVar[dict[str, Any]] = {
        "optimiser": "adam", "lr": 1e-3, "weight_decay": 0.0, "schedule": "cosine", "batch_size": 128, "epochs": 80,
        "augment": {"flip": 0.5, "erase": 0.2, "erase_scale": (0.02, 0.2)},
        "colour": "rgb", "mean": (0.5412, 0.4324, 0.3795), "std": (0.2485, 0.2182, 0.2066)}
    paper_sources: ClassVar[dict[str, str]] = {
        "code": "hw-tony/LA-Net at 74bb121", "optimiser": "train.py:41", "lr": "train.py:113",
        "weight_decay": "train.py:114", "schedule": "ours: for a straight line to 0 (train.py:42-45)",
        "batch_size": "train.py:115", "epochs": "train.py:112", "flip": "dataloader.py:43",
        "erase, erase_scale": "dataloader.py:48", "colour": "dataloader.py:59", "mean, std": "dataloader.py:39-40",
        "weights": "a ResNet-18 (train.py:139), of MS-Celeb by dataloader.py:40",
        "left out": "crops of .75 to 1 of the face, jitter of brightness, contrast, saturation (dataloader.py:44-45)"}

    def __init__(self, context: Context, *, lam: float = 1.0, neighbours: int = 8, memory: float = 0.125) -> None:
        super().__init__(context)
        self.lam, self.neighbours, self.m = lam, neighbours, decay_over(memory, context.epochs)
        self.score = PairScore(self.net.dim)
        onehot = F.one_hot(context.labels, context.num_classes)
        self.register_buffer("targets", onehot.to(torch.get_default_dtype()))

    def distribution(self, features: Tensor, probabilities: Tensor) -> Tensor:
        """d [B, C] of features [B, D] and predictions [B, C]."""
        size = len(features)
        directions = F.normalize(features.detach())
        own = torch.eye(size, dtype=torch.bool, device=features.device)
        similar = (directions @ directions.T).masked_fill(own, -2)
        nearest = similar.topk(min(self.neighbours, size - 1)).indices
        weights: Tensor = self.score(features) * F.one_hot(nearest, size).sum(1)
        # as the code has it; a face alone is its own neighbour
        return (weights + 1e-8 / size) / (weights.sum(1, keepdim=True) + 1e-8) @ probabilities

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        features = self.net.embed(batch.images)
        logits = self.net.head(features)
        log_p = logits.log_softmax(1)
        found = self.distribution(features, log_p.exp())
        targets = self.m * self.targets[batch.index] + (1 - self.m) * found
        self.targets.index_copy_(0, batch.index, targets.detach())
        batch.log(weight=targets.gather(1, batch.labels[:, None]).squeeze(1))
        apart: Tensor = (targets * (targets.clamp(min=1e-12).log() - log_p)).sum(1).mean()
        return F.cross_entropy(logits, batch.labels) + self.lam * apart
