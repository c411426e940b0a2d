"""Stored faces on a device: one copy for all runs of a process, and on a CPU none beside the file itself."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor

from fer_bench.data.selection import Images, Selection
from fer_bench.errors import UserError

UPLOAD = 8192  # faces copied to a GPU at a time
KEPT = 6  # arrays that stay on the device: train, valid and test of two datasets
MOST, MOST_PIXELS = 1024, 2**22  # of a batch of evaluation on a GPU: faces, pixels
MAPS = 90  # bytes of a ResNet-18's feature maps for each pixel of an image, as benchmarks/fake_device.py counts them
SPARE = 0.7  # share of the free GPU memory that faces may take

_resident: dict[tuple[int, str], tuple[np.ndarray, Tensor]] = {}


class Pixels:
    """Faces on a device: ``pixels[index]`` is uint8 [B, H, W, C] of the rows ``index`` int64 [B]."""

    def __init__(self, images: Images, device: torch.device) -> None:
        stored, rows = (images.stored, images.rows) if isinstance(images, Selection) else (images, None)
        self.stored = resident(stored, device)
        self.rows = None if rows is None else torch.from_numpy(rows.copy()).to(device)
        self.shape = tuple(self.stored.shape[1:])

    def __len__(self) -> int:
        return len(self.stored if self.rows is None else self.rows)

    def __getitem__(self, index: Tensor) -> Tensor:
        return self.stored[index if self.rows is None else self.rows[index]]

    def replace(self, other: Pixels) -> bool:
        """Become ``other`` without moving in memory; False if that cannot be."""
        if self.stored is not other.stored or len(self) != len(other) or (self.rows is None) != (other.rows is None):
            return False
        if self.rows is not None and other.rows is not None:
            self.rows.copy_(other.rows)
        return True


def resident(stored: np.ndarray, device: torch.device) -> Tensor:
    """uint8 [N, H, W] or [N, H, W, C] as a tensor [N, H, W, C]. A memory-mapped array stays one on a CPU.

    Raises UserError when a GPU has no room for it.
    """
    key = (id(stored), str(device))
    if key not in _resident:
        while len(_resident) >= KEPT:
            del _resident[next(iter(_resident))]
        _resident[key] = (stored, _upload(as_tensor(stored), device))
    return _resident[key][1]


def as_tensor(stored: np.ndarray) -> Tensor:
    """An array's own memory as a tensor [N, H, W, C]; never written to."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not writable.*")
        tensor = torch.from_numpy(stored)
    return tensor.unsqueeze(-1) if tensor.ndim == 3 else tensor


def _upload(tensor: Tensor, device: torch.device) -> Tensor:
    if device.type == "cpu":
        return tensor
    if device.type == "cuda" and tensor.numel() > (room := SPARE * torch.cuda.mem_get_info(device)[0]):
        raise UserError(f"the faces take {tensor.numel() / 1e9:.1f} GB, {device} has room for {room / 1e9:.1f} GB of "
                        "them; store them smaller with --pack-size, or use a GPU with more memory")
    there = torch.empty(tensor.shape, dtype=torch.uint8, device=device)
    for start in range(0, len(tensor), UPLOAD):
        there[start : start + UPLOAD].copy_(tensor[start : start + UPLOAD])
    if device.type == "cuda":
        torch.cuda.synchronize(device)  # other streams will read it
    return there


def put(kept: Tensor | None, value: Tensor, device: torch.device) -> Tensor:
    """``value`` on the device, in the place of ``kept`` if there is one."""
    return value.to(device) if kept is None else kept.copy_(value)


def eval_batch(device: torch.device, size: int) -> int:
    """Faces of ``size`` pixels in a batch of evaluation: enough to fill a GPU, and by a guess at their feature maps no
    more than a 16th of its memory, of all that it has, so that the same card always takes the same batch; not more
    than a CPU's caches take."""
    if device.type == "cpu":
        return 128
    faces = min(MOST, MOST_PIXELS // size**2)
    if device.type == "cuda":
        faces = min(faces, torch.cuda.mem_get_info(device)[1] // 16 // (MAPS * size**2))
    return max(1, faces)
