"""Weights of classes from the given counts of the training set. Classes without a face count as having one."""

from __future__ import annotations

import torch
from torch import Tensor


def effective_number_weights(counts: Tensor, beta: float) -> Tensor:
    """w_c = (1 - beta) / (1 - beta^n_c), scaled to a sum of C (Cui et al., CVPR 2019); float [C] of int64 [C]."""
    weights = (1 - beta) / (1 - beta ** counts.clamp(min=1).double())
    return (weights * len(counts) / weights.sum()).to(torch.get_default_dtype())


def inverse_frequency(counts: Tensor) -> Tensor:
    """N / n_c, float [C] of int64 [C]."""
    return counts.sum() / counts.clamp(min=1).to(torch.get_default_dtype())
