"""SMEC against its formula, place by place, in float64: maps that fit, maps that are resized, odd rows."""

from __future__ import annotations

import math

import pytest
import torch
from likereal import CLASSES as C
from likereal import half_trained
from test_parity import EPOCHS, FOUND, clock_at, float64  # noqa: F401
from test_parity_noise import assert_same, ce
from torch import Tensor, nn

from fer_bench.method import Batch, Context
from fer_bench.registry import load_class, resolve_parameters

B, D = 10, 3
FACES = half_trained(B, 7)


def build(make, shape: tuple[int, int, int] = (1, 8, 6), **values: str):
    labels = FACES.given
    context = Context(C, labels.clone(), labels.bincount(minlength=C), EPOCHS, 3, make, shape)
    return load_class(FOUND["smec"])(context, **resolve_parameters(FOUND["smec"], values))


class Net(nn.Module):
    """One convolution, so that the maps of halves are other ones at the cut."""

    dim = D

    def __init__(self, stride: int) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.convolution, self.head = nn.Conv2d(1, D, 3, stride=stride, padding=1), nn.Linear(D, C)

    def features(self, images: Tensor) -> Tensor:
        return torch.relu(self.convolution(images))


def literal_maps(net: Net, image: Tensor) -> Tensor:
    """Class maps [C, h, w] of an image [1, H, W]."""
    maps = net.features(image[None])[0]
    return torch.stack([sum(net.head.weight[c, d] * maps[d] for d in range(D)) for c in range(C)])


def literal_rows(maps: Tensor, height: int) -> Tensor:
    """Maps [C, h', w] with ``height`` rows: each the weighted mean of the two that its middle lies between."""
    scale, rows = maps.shape[1] / height, []
    for i in range(height):
        place = min(max((i + 0.5) * scale - 0.5, 0), maps.shape[1] - 1)
        low = math.floor(place)
        high = min(low + 1, maps.shape[1] - 1)
        rows.append((1 - place + low) * maps[:, low] + (place - low) * maps[:, high])
    return torch.stack(rows, 1)


def literal_smec(net: Net, images: Tensor, second: Tensor, lam: float) -> Tensor:
    total = torch.zeros(())
    for n in range(B):
        whole = literal_maps(net, images[n])
        middle = images.shape[2] // 2
        halves = [literal_maps(net, part) for part in (second[n, :, :middle], second[n, :, middle:2 * middle])]
        merged = literal_rows(torch.cat(halves, 1), whole.shape[1])
        width, apart = whole.shape[2], 0
        for c in range(C):
            for i in range(whole.shape[1]):
                apart = apart + sum((whole[c, i, j] - merged[c, i, width - 1 - j]) ** 2 for j in range(width))
        z = whole.mean((1, 2)) + net.head.bias
        total = total + (ce(z, int(FACES.given[n])) + lam * apart / whole.numel()) / B
    return total


@pytest.mark.parametrize(("values", "lam"), [({}, 5.5), ({"lam": "10"}, 10)], ids=str)
@pytest.mark.parametrize(("stride", "height"), [(1, 4), (2, 8), (4, 12), (4, 10), (2, 7)])
def test_smec_loss_and_gradient_are_those_of_the_formula(stride, height, values, lam):
    """Maps that fit, maps of one row more (4 of halves, 3 of the whole), and a last odd row."""
    images, second = torch.randn(2, B, 1, height, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    method = build(lambda: Net(stride), (1, height, 6), **values)
    views: list[str] = []
    given = Batch(images, FACES.given, torch.arange(B), {}, lambda: images, lambda name: views.append(name) or second)
    expected = literal_smec(method.net, images, second, lam)
    assert_same(method.loss(given, clock_at(2)), expected, list(method.parameters()))
    assert views == ["mirrored"] and method.views == {"mirrored": {"mirror": True}}


@pytest.mark.parametrize("stride", [1, 2])
def test_smec_asks_for_maps_of_the_halves_alone(stride):
    """What the network sees in each half by itself is compared: a change of the lower half leaves the upper one."""
    method = build(lambda: Net(stride))
    image = torch.randn(1, 1, 8, 6)
    other = image.clone()
    other[:, :, 4:] += 1
    one, two = method.merged(image), method.merged(other)
    middle = one.shape[2] // 2
    assert one[:, :, :middle].equal(two[:, :, :middle]) and (one[:, :, middle:] != two[:, :, middle:]).any()
