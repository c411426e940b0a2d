"""Pillow's bilinear resize of uint8 images, bit for bit, on whole batches and on any device.

Pillow (Resample.c) resizes along x, rounds to uint8, then along y (some Pillow versions take tall images the other
way round; square ones never differ); weights are a triangle as wide as the scale,
in fixed point with 22 fractional bits.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

FRACTION = 22


def taps(size_in: int, size_out: int) -> tuple[Tensor, Tensor]:
    """For each output place: input places int64 [out, T], and their fixed-point weights int32 [out, T]."""
    scale = size_in / size_out
    reach = max(scale, 1.0)
    rows: list[tuple[int, list[int]]] = []
    for place in range(size_out):
        centre = (place + 0.5) * scale
        first = max(int(centre - reach + 0.5), 0)
        last = min(int(centre + reach + 0.5), size_in)
        triangle = [max(0.0, 1 - abs((p - centre + 0.5) / reach)) for p in range(first, last)]
        total = sum(triangle)
        rows.append((first, [int(0.5 + w / total * (1 << FRACTION)) for w in triangle]))
    width = max(len(weights) for _, weights in rows)
    index = torch.zeros(size_out, width, dtype=torch.int64)
    weight = torch.zeros(size_out, width, dtype=torch.int32)
    for place, (first, weights) in enumerate(rows):
        index[place, : len(weights)] = torch.arange(first, first + len(weights))
        weight[place, : len(weights)] = torch.tensor(weights, dtype=torch.int32)
    return index, weight


def resize(images: Tensor, size: int) -> Tensor:
    """uint8 [B, H, W, C] to uint8 [B, size, size, C], as ``PIL.Image.resize((size, size), BILINEAR)``."""
    if images.shape[1] == size and images.shape[2] == size:
        return images
    return _along(_along(images, 2, size), 1, size)


@cache
def _taps_on(device: torch.device, size_in: int, size_out: int) -> tuple[Tensor, Tensor]:
    index, weight = taps(size_in, size_out)
    return index.to(device), weight.to(device)


def _along(images: Tensor, axis: int, size: int) -> Tensor:
    if images.shape[axis] == size:
        return images
    index, weight = _taps_on(images.device, images.shape[axis], size)
    shape = [1] * images.ndim
    shape[axis] = size
    total: Tensor | int = 1 << (FRACTION - 1)
    for place in range(index.shape[1]):
        total = total + images.index_select(axis, index[:, place]).int() * weight[:, place].view(shape)
    assert isinstance(total, Tensor)
    return (total >> FRACTION).clamp_(0, 255).to(torch.uint8)
