"""Slim ResNet-10 for small faces, the network of the quick recipes: a deep 3x3 stem, no max-pooling, four blocks.

The same weights, names and bits as timm's ResNet with these settings (tests/nets/test_nets.py), without timm's import,
which brings torchvision's and is a good part of the time to a quick run's first step (docs/decisions.md).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from fer_bench.nets.overlap import Conv2d, promise_gradients

WIDTHS = {"resnet10-w16": 16, "resnet10-w24": 24, "resnet10-w32": 32}


def conv(channels: int, out: int, size: int = 3, stride: int = 1) -> nn.Conv2d:
    return Conv2d(channels, out, size, stride)


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al., CVPR 2016): [B, channels, h, w] to [B, out, h/stride, .]."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv(channels, out, 3, stride), nn.BatchNorm2d(out)
        self.conv2, self.bn2 = conv(out, out), nn.BatchNorm2d(out)
        same = stride == 1 and channels == out
        self.downsample = None if same else nn.Sequential(conv(channels, out, 1, stride), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        inner = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(inner)) + shortcut, inplace=True)


class SlimResNet(nn.Module):
    """Four blocks of width, 2 width, 4 width and 8 width; ``forward_features`` gives [B, 8 width, S/16, S/16]."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.num_features, half = 8 * width, width // 2
        self.conv1 = nn.Sequential(conv(channels, half, stride=2), nn.BatchNorm2d(half), nn.ReLU(True),
                                   conv(half, half), nn.BatchNorm2d(half), nn.ReLU(True), conv(half, width))
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1, self.layer2 = nn.Sequential(Block(width, width, 1)), nn.Sequential(Block(width, 2 * width, 2))
        self.layer3 = nn.Sequential(Block(2 * width, 4 * width, 2))
        self.layer4 = nn.Sequential(Block(4 * width, 8 * width, 2))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if isinstance(module, Block):
                nn.init.zeros_(module.bn2.weight)  # a block begins as its shortcut

    def forward_features(self, images: Tensor) -> Tensor:
        """Feature maps of [B, channels, S, S]."""
        promise_gradients(self)
        x = F.relu(self.bn1(self.conv1(images)), inplace=True)
        maps: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return maps
