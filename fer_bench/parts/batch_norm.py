"""Batch normalisation that also takes a batch of one face, as the last batch of an epoch may be."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class BatchNorm(nn.BatchNorm1d):
    """Of vectors [B, D]; a single face is normalised by the running statistics, since it has none of its own."""

    def forward(self, x: Tensor) -> Tensor:
        return of_one(self, x) if len(x) == 1 else super().forward(x)


class MapNorm(nn.BatchNorm2d):
    """Of maps [B, D, h, w]; a single face with maps of one place as above."""

    def forward(self, x: Tensor) -> Tensor:
        return of_one(self, x) if x.numel() == x.shape[1] else super().forward(x)


def of_one(norm: nn.BatchNorm1d | nn.BatchNorm2d, x: Tensor) -> Tensor:
    """By the running statistics, whatever the mode."""
    return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.0, norm.eps)


def of_some(norm: nn.BatchNorm1d, x: Tensor, rows: Tensor) -> Tensor:
    """x [B, D] by the statistics of some of its rows, bool [B]; the running ones stay as they are."""
    weight = rows[:, None].to(x.dtype)
    count = weight.sum().clamp(min=1)
    mean = (weight * x).sum(0) / count
    variance = (weight * (x - mean).square()).sum(0) / count
    return (x - mean) * torch.rsqrt(variance + norm.eps) * norm.weight + norm.bias
