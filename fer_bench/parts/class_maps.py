"""Class activation maps, and how far those of a face are from those of its mirror image."""

from __future__ import annotations

import torch
from torch import Tensor


def class_maps(features: Tensor, weight: Tensor) -> Tensor:
    """[B, C, h, w] of feature maps [B, D, h, w] and classifier weights [C, D] (Zhou et al., CVPR 2016). The weights'
    gradient is stopped, as in EAC (model.py:22-41 at 61efdfd)."""
    return torch.einsum("cd,bdhw->bchw", weight.detach(), features)


def maps_apart(maps: Tensor, mirrored: Tensor) -> Tensor:
    """Mean squared difference of each class map from the mirrored face's, turned back; [B, C] of two [B, C, h, w]."""
    return (maps - mirrored.flip(-1)).square().mean((2, 3))
