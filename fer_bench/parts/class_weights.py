"""Weights of classes from the given counts of the training set.

A class without a face weighs 0, and the others weigh what they would if it did not exist.
"""

from __future__ import annotations

import torch
from torch import Tensor


def effective_number_weights(counts: Tensor, beta: float) -> Tensor:
    """w_c = (1 - beta) / (1 - beta^n_c), scaled to a sum of as many as there are classes with a face (Cui et al., CVPR
    2019); float [C] of int64 [C]. With beta 1 its limit, w_c in proportion to 1 / n_c."""
    faces = counts.clamp(min=1).double()
    weights = (counts > 0) * (1 / faces if beta == 1 else (1 - beta) / (1 - beta**faces))
    return (weights * (counts > 0).sum() / weights.sum()).to(torch.get_default_dtype())


def inverse_frequency(counts: Tensor) -> Tensor:
    """N / n_c, float [C] of int64 [C]."""
    return (counts > 0) * counts.sum() / counts.clamp(min=1).to(torch.get_default_dtype())
