"""Numbers like those of a run amid training: skewed classes that overlap, a network that knows them in part, a third of
the labels wrong. A formula that is right on easy numbers alone is found out here."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

RAF = [1290, 281, 717, 4772, 1982, 705, 2524]  # faces of each class of RAF-DB
CLASSES = len(RAF)


class Faces(NamedTuple):
    """features float64 [N, D], above 0, as means after a ReLU; logits float64 [N, C]; true and given int64 [N]."""

    features: Tensor
    logits: Tensor
    true: Tensor
    given: Tensor


def half_trained(size: int, seed: int, dim: int = 8, wrong: float = 0.3, sure: float = 1.0) -> Faces:
    """Faces of classes as frequent as RAF-DB's; ``sure`` scales the logits."""
    generator = torch.Generator().manual_seed(seed)
    centres = 0.8 * torch.randn(CLASSES, dim, generator=generator, dtype=torch.float64)
    true = torch.multinomial(torch.tensor(RAF).double(), size, replacement=True, generator=generator)
    features = centres[true] + torch.randn(size, dim, generator=generator, dtype=torch.float64)
    flipped = (true + torch.randint(1, CLASSES, (size,), generator=generator)) % CLASSES
    given = torch.where(torch.rand(size, generator=generator) < wrong, flipped, true)
    logits = sure * (features @ centres.T - centres.square().sum(1) / 2) / 2
    rest = 0.1 * torch.rand(size, dim, generator=generator, dtype=torch.float64)
    return Faces(features.clamp(min=0) + rest, logits, true, given)
