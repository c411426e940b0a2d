"""Weights that change over the epochs, as 0-d tensors: exp(-steepness (1 - part)^2), part of the way that is done."""

from __future__ import annotations

import torch
from torch import Tensor


def ramp_up(epoch: Tensor, length: float, steepness: float) -> Tensor:
    """exp(-steepness (1 - epoch / length)^2) up to ``length`` epochs, then 1 (Laine and Aila, ICLR 2017)."""
    part = (epoch / max(length, 1e-9)).clamp(max=1)
    return torch.exp(-steepness * (1 - part) ** 2)


def ramp_down(epoch: Tensor, start: float, steepness: float) -> Tensor:
    """1 up to epoch ``start``, then exp(-steepness (1 - start / epoch)^2)."""
    part = (start / epoch.clamp(min=1e-9)).clamp(max=1)
    return torch.exp(-steepness * (1 - part) ** 2)


def mimicry(epoch: Tensor, epochs: int) -> Tensor:
    """.9 exp(-.65 (1 - epoch / (.9 epochs))^2), the share of agreement in the losses of CCT and MAN (main.py:261-276 at
    df07e3f, not clipped: it falls a little in the last tenth)."""
    return 0.9 * torch.exp(-0.65 * (1 - epoch / (0.9 * epochs)) ** 2)
