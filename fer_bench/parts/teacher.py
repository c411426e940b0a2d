"""A moving average of a network, its teacher."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


def make_teacher(network: nn.Module) -> nn.Module:
    """A copy that no optimiser changes."""
    return copy.deepcopy(network).requires_grad_(False)


def decay_over(memory: float, steps: int) -> float:
    """The decay whose horizon, 1 / (1 - decay) steps, is the share ``memory`` of all steps; 0 for one step or less."""
    return 1 - 1 / max(memory * steps, 1)


def follow(teacher: nn.Module, network: nn.Module, decay: float, step: Tensor) -> None:
    """teacher = d teacher + (1 - d) network, for parameters, in place; d = decay, but 1 - 1 / (step + 2) while that is
    less: the plain mean of the first weights and all steps so far (Tarvainen and Valpola, NeurIPS 2017). step: those
    before this one. Buffers stay the teacher's own: in training mode its batch norm counts what it sees itself."""
    share = (1 / (step + 2)).clamp(min=1 - decay)
    with torch.no_grad():
        for mine, own in zip(teacher.parameters(), network.parameters(), strict=True):
            mine.lerp_(own, share.to(mine.dtype))
