"""Dropout whose mask is a function of one drawn number per face: a table of whole masks would not fit in memory."""

from __future__ import annotations

import torch
from torch import Tensor

HIGHEST = 2**62
MIX = (-0x61C8864680B583EB, -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15)  # of splitmix64, as signed numbers


def draw_seeds(generator: torch.Generator, size: int) -> Tensor:
    """One number per face, int64 [size]."""
    return torch.randint(HIGHEST, (size,), generator=generator)


def seeded_dropout(x: Tensor, seeds: Tensor, p: float) -> Tensor:
    """x [B, ...] with a share p of the entries zeroed and the others divided by 1 - p; which, the seeds [B] say."""
    bits = seeds[:, None] + torch.arange(1, x[0].numel() + 1, device=x.device) * MIX[0]
    bits = (bits ^ (bits >> 30)) * MIX[1]
    bits = (bits ^ (bits >> 27)) * MIX[2]
    uniform = ((bits ^ (bits >> 31)) & 0xFFFFFF) / 2**24
    return x * (uniform >= p).view_as(x) / (1 - p)
