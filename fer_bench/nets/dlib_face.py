"""dlib's face-recognition network, which anyone can get: a ResNet of 29 layers by Davis King, in the public domain.

As @vladmandic/face-api (MIT) has it in src/faceRecognitionNet/: 3x3 convolutions, shortcuts by 2x2 means with zero
channels appended, here with batch norm where dlib has scales (nets/statistics.py says how it gets there). It expects
colour faces minus dlib's mean, (122.782, 117.001, 104.298) of 255, that are not divided by a deviation.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_bench.errors import UserError
from fer_bench.nets.overlap import Conv2d, promise_gradients

NAME, SMALLEST = "dlib-face", 64
ROOM = 4  # rows of a map that a block may halve. At 150 px all do, as in dlib; at 112 px not the last, at 64 px
# not the last two: the maps that methods look at stay 2 x 2 or 3 x 3 instead of shrinking to a point
BLOCKS = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True))  # of a stage: width, blocks, first one halves


class Block(nn.Module):
    """[B, channels, h, w] to [B, out, h, w], or half of both where it ``halves`` and the map has room for that."""

    def __init__(self, channels: int, out: int, halves: bool) -> None:
        super().__init__()
        self.halves = halves
        # the one that halves is not the helper thread's, since small maps use it with another stride
        self.conv1 = nn.Conv2d(channels, out, 3, 2, bias=False) if halves else Conv2d(channels, out, 3, 1)
        self.bn1, self.conv2, self.bn2 = nn.BatchNorm2d(out), Conv2d(out, out, 3, 1), nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        shortcut, inner = x, x
        if self.halves and x.shape[-1] >= ROOM:
            shortcut, inner = F.avg_pool2d(x, 2), self.conv1(x)
        elif self.halves:  # a map too small to be halved stays as it is
            inner = F.conv2d(x, self.conv1.weight, padding=1)
        else:
            inner = self.conv1(x)
        inner = self.bn2(self.conv2(F.relu(self.bn1(inner), inplace=True)))
        if rows := shortcut.shape[-1] - inner.shape[-1]:
            inner = F.pad(inner, (0, rows, 0, rows))
        if channels := inner.shape[1] - shortcut.shape[1]:
            shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, channels))
        return F.relu(inner + shortcut, inplace=True)


class DlibFace(nn.Module):
    """Four stages; ``forward_features`` gives [B, 256, 3, 3] at 112 px, [B, 256, 2, 2] at dlib's own 150 px."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.num_features, before, stages = BLOCKS[-1][0], BLOCKS[0][0], list[nn.Sequential]()
        self.conv1, self.bn1 = Conv2d(channels, before, 7, 2, 0), nn.BatchNorm2d(before)
        for width, count, halves in BLOCKS:
            more = (Block(width, width, False) for _ in range(count - 1))
            stages.append(nn.Sequential(Block(before, width, halves), *more))
            before = width
        stages[-1].append(Block(before, before, True))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if isinstance(module, Block):
                nn.init.zeros_(module.bn2.weight)  # without weights a block begins as its shortcut

    def forward_features(self, images: Tensor) -> Tensor:
        """Feature maps of [B, channels, S, S], S at least 64."""
        if images.shape[-1] < SMALLEST:
            raise UserError(f"backbone '{NAME}' reads faces of {SMALLEST} pixels and more, found {images.shape[-1]}; "
                            "set image_size=112, or choose another backbone")
        promise_gradients(self)
        maps = F.max_pool2d(F.relu(self.bn1(self.conv1(images)), inplace=True), 3, 2)
        found: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(maps))))
        return found


def from_package(arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """The package's tensors as a state_dict of ``DlibFace``, with scales as batch norms that have no statistics, and
    the layer of the 128-d descriptor as ``fc.weight``. Raises UserError for a tensor too many or too few."""
    left, state = dict(arrays), dict[str, Tensor]()

    def take(name: str, axes: int) -> Tensor:
        found = left.pop(name, None)
        if found is None or found.ndim != axes:
            raise UserError(f"weights {NAME}: '{name}' is missing or has no {axes} axes; get the package again")
        return torch.from_numpy(found)

    for theirs, ours, conv in layers():
        kernel, bias = take(f"{theirs}/conv/filters", 4), take(f"{theirs}/conv/bias", 1)
        scale, shift = take(f"{theirs}/scale/weights", 1), take(f"{theirs}/scale/biases", 1)
        state[f"{ours}conv{conv}.weight"] = kernel.permute(3, 2, 0, 1).contiguous()
        weight = scale.double().mul(math.sqrt(1 + nn.BatchNorm2d(1).eps)).float()
        norm = {"weight": weight, "bias": shift + scale * bias, "running_mean": torch.zeros_like(scale),
                "running_var": torch.ones_like(scale)}
        state |= {f"{ours}bn{conv}.{key}": value for key, value in norm.items()}
    state["fc.weight"] = take("fc", 2).T.contiguous()
    if left:
        raise UserError(f"weights {NAME}: {len(left)} tensors too many, first '{min(left)}'; get the package again")
    return state


def layers() -> list[tuple[str, str, int]]:
    """The package's name of each convolution, the prefix of the module that it lies in here, and its number there."""
    found = [("conv32_down", "", 1)]
    for stage, (width, count, halves) in enumerate(BLOCKS, 1):
        names = [f"conv{width}_{place}" for place in range(1, count + 1)]
        if halves:
            names = [f"conv{width}_down", *names[:-1]]
        if stage == len(BLOCKS):
            names.append(f"conv{width}_down_out")
        found += [(f"{name}/conv{number}", f"layer{stage}.{place}.", number)
                  for place, name in enumerate(names) for number in (1, 2)]
    return found
