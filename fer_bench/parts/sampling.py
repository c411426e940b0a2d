"""Orders of an epoch other than each face once."""

from __future__ import annotations

import torch
from torch import Tensor


def balanced_order(labels: Tensor, generator: torch.Generator) -> Tensor:
    """N draws with replacement in which all classes are equally likely, int64 [N] of labels int64 [N] on the CPU."""
    weights = 1 / labels.bincount().clamp(min=1)[labels].double()
    # by the cumulated weights: torch.multinomial refuses more than 2^24 faces and is slower
    draws = torch.rand(len(labels), generator=generator, dtype=torch.float64) * weights.sum()
    return torch.searchsorted(weights.cumsum(0), draws, right=True).clamp(max=len(labels) - 1)
