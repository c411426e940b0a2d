"""A moving average of a network, its teacher."""

from __future__ import annotations

import copy

import torch
from torch import nn


def make_teacher(network: nn.Module) -> nn.Module:
    """A copy that no optimiser changes."""
    return copy.deepcopy(network).requires_grad_(False)


def follow(teacher: nn.Module, network: nn.Module, decay: float) -> None:
    """teacher = decay teacher + (1 - decay) network, for parameters, in place."""
    with torch.no_grad():
        for mine, own in zip(teacher.parameters(), network.parameters(), strict=True):
            mine.lerp_(own, 1 - decay)
