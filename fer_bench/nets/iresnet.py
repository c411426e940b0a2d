"""insightface's ResNets (IResNet, Deng et al., CVPR 2019), so that their face weights can be brought.

As deepinsight/insightface has them in recognition/arcface_torch/backbones/iresnet.py: batch norm before and after the
convolutions, PReLU, no pooling, a norm after the last stage. Weights expect faces as (x / 255 - 0.5) / 0.5.
"""

from __future__ import annotations

from torch import Tensor, nn

BLOCKS = {"iresnet18": (2, 2, 2, 2), "iresnet34": (3, 4, 6, 3), "iresnet50": (3, 4, 14, 3),
          "iresnet100": (3, 13, 30, 3)}
WIDTHS = (64, 128, 256, 512)


def conv(channels: int, out: int, size: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, out, size, stride, size // 2, bias=False)


class Block(nn.Module):
    """[B, channels, h, w] to [B, out, h/stride, w/stride]."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(channels), conv(channels, out)
        self.bn2, self.prelu = nn.BatchNorm2d(out), nn.PReLU(out)
        self.conv2, self.bn3 = conv(out, out, stride=stride), nn.BatchNorm2d(out)
        same = stride == 1 and channels == out
        self.downsample = None if same else nn.Sequential(conv(channels, out, 1, stride), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        found: Tensor = self.bn3(self.conv2(self.prelu(self.bn2(self.conv1(self.bn1(x)))))) + shortcut
        return found


class IResNet(nn.Module):
    """Four stages, each of which halves; ``forward_features`` gives [B, 512, S/16, S/16]."""

    classifiers = ("features.",)  # of its checkpoints, beside those that all have: the norm of the face descriptor

    def __init__(self, name: str, channels: int) -> None:
        super().__init__()
        self.num_features, before, stages = WIDTHS[-1], WIDTHS[0], list[nn.Sequential]()
        self.conv1, self.bn1, self.prelu = conv(channels, before), nn.BatchNorm2d(before), nn.PReLU(before)
        for width, count in zip(WIDTHS, BLOCKS[name], strict=True):
            stages.append(nn.Sequential(Block(before, width, 2), *(Block(width, width, 1) for _ in range(count - 1))))
            before = width
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.bn2 = nn.BatchNorm2d(before)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward_features(self, images: Tensor) -> Tensor:
        """Feature maps of [B, channels, S, S]."""
        maps = self.prelu(self.bn1(self.conv1(images)))
        found: Tensor = self.bn2(self.layer4(self.layer3(self.layer2(self.layer1(maps)))))
        return found
