"""A moving average of a network, its teacher."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


def make_teacher(network: nn.Module) -> nn.Module:
    """A copy that no optimiser changes."""
    return copy.deepcopy(network).requires_grad_(False)


def follow(teacher: nn.Module, network: nn.Module, decay: float, step: Tensor) -> None:
    """teacher = d teacher + (1 - d) network, for parameters, in place; d = decay, but 1 - 1 / (step + 2) while that is
    less: the plain mean of all steps so far (Tarvainen and Valpola, NeurIPS 2017). step: those before this one."""
    share = (1 / (step + 2)).clamp(min=1 - decay)
    with torch.no_grad():
        for mine, own in zip(teacher.parameters(), network.parameters(), strict=True):
            mine.lerp_(own, share.to(mine.dtype))
