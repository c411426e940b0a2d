"""CutMix against its formula in loops, pixel by pixel, in float64, and its boxes against those of its code."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from likereal import CLASSES as C
from likereal import half_trained
from scipy.stats import beta, kstest
from test_parity import clock_at, float64  # noqa: F401
from test_parity_noise import assert_same, ce
from torch import Tensor, nn

from fer_bench.method import Batch, Context
from fer_bench.registry import load_class, methods, resolve_parameters

INFO, B, HEIGHT, WIDTH = methods()[0]["cutmix"], 12, 6, 9
LABELS = half_trained(B, 0).given
IMAGES = torch.randn(B, 1, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


class Pixels(nn.Linear):
    """A linear network on pixels."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images.flatten(1))


def build(height: int = HEIGHT, width: int = WIDTH, **values: str):
    torch.manual_seed(2)
    counts, shape = LABELS.bincount(minlength=C), (1, height, width)
    context = Context(C, LABELS.clone(), counts, 60, 3, lambda: Pixels(height * width, C), shape)
    return load_class(INFO)(context, **resolve_parameters(INFO, values))


class Fixed:
    """Numpy's generator with chosen numbers: which are asked for, in order."""

    def __init__(self, chance: float, lam: float, *places: int) -> None:
        self.chance, self.lam, self.places = chance, lam, list(places)

    def random(self) -> float:
        return self.chance

    def beta(self, one: float, other: float) -> float:
        return self.lam

    def integers(self, length: int) -> int:
        return self.places.pop(0) % length


def code_box(length: int, lam: float, centre: int) -> tuple[int, int]:
    """rand_bbox of train.py:279-295, one axis."""
    cut = int(length * np.sqrt(1.0 - lam))
    return int(np.clip(centre - cut // 2, 0, length)), int(np.clip(centre + cut // 2, 0, length))


@pytest.mark.parametrize("places", [(0, 0), (3, 4), (5, 8), (2, 1)])
@pytest.mark.parametrize("lam", [0.0, 0.1, 0.5, 0.77, 0.999, 1.0])
@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (48, 48), (47, 224)])
def test_boxes_and_shares_are_those_of_the_code(monkeypatch, size, lam, places):
    monkeypatch.setattr(np.random, "default_rng", lambda seed: Fixed(0.0, lam, *(p * size[0] // 6 for p in places)))
    draws = build(*size).draw(torch.Generator(), 3)
    rows, columns = (code_box(length, lam, p * size[0] // 6 % length) for length, p in zip(size, places, strict=True))
    assert draws["box"].tolist() == [[*rows, *columns]] * 3
    left = 1 - (rows[1] - rows[0]) * (columns[1] - columns[0]) / (size[0] * size[1])
    assert draws["share"].tolist() == pytest.approx([left] * 3, abs=1e-12)


def literal(net: nn.Linear, box: list[int], partner: list[int], lam: float) -> Tensor:
    """Pixel by pixel; lam: the share of the pixels that are left."""
    top, bottom, left, right = box
    total = torch.zeros(())
    for i, j in enumerate(partner):
        pixels = [IMAGES[j if top <= y < bottom and left <= x < right else i, 0, y, x]
                  for y in range(HEIGHT) for x in range(WIDTH)]
        z = net.weight @ torch.stack(pixels) + net.bias
        total = total + lam * ce(z, int(LABELS[i])) + (1 - lam) * ce(z, int(LABELS[j]))
    return total / B


@pytest.mark.parametrize("seed", range(6))
def test_loss_and_gradient_are_those_of_the_formula(seed):
    method = build()
    draws = method.draw(torch.Generator().manual_seed(seed), B)
    box = draws["box"][0].tolist()
    area = sum(box[0] <= y < box[1] and box[2] <= x < box[3] for y in range(HEIGHT) for x in range(WIDTH))
    batch = Batch(IMAGES.clone(), LABELS, torch.arange(B), draws, lambda: IMAGES)
    expected = literal(method.net, box, draws["partner"].tolist(), 1 - area / (HEIGHT * WIDTH))
    assert_same(method.loss(batch, clock_at(1)), expected, list(method.net.parameters()))
    assert batch.images.equal(IMAGES)  # the faces themselves stay whole


def test_draws_one_box_and_one_permutation_per_batch_and_its_area_is_beta():
    method, generator = build(480, 480, alpha="0.7"), torch.Generator().manual_seed(1)
    lams = []
    for _ in range(1500):
        draws = method.draw(generator, B)
        assert sorted(draws["partner"].tolist()) == list(range(B)) and len(set(draws["share"].tolist())) == 1
        top, bottom, left, right = draws["box"][0].tolist()
        if top > 0 and bottom < 480:  # whole in height, so that its height tells lam
            lams.append(1 - ((bottom - top) / 480) ** 2)
    # tall boxes are often cut: those that are whole have lam of density beta(lam) (1 - sqrt(1 - lam))
    grid = np.linspace(0, 1, 20001)[1:-1]
    density = beta(0.7, 0.7).pdf(grid) * (1 - np.sqrt(1 - grid))
    assert kstest(lams, lambda x: np.interp(x, grid, np.cumsum(density) / density.sum())).pvalue > 1e-6


@pytest.mark.parametrize(("values", "chance", "whole"), [
    ({}, 0.999, False), ({"probability": "0.5"}, 0.499, False), ({"probability": "0.5"}, 0.5, True),
    ({"probability": "0"}, 0.0, True), ({"alpha": "0"}, 0.0, True)], ids=str)
def test_a_batch_is_left_whole_with_the_rest_of_the_probability(monkeypatch, values, chance, whole):
    monkeypatch.setattr(np.random, "default_rng", lambda seed: Fixed(chance, 0.4, 3, 4))
    method = build(**values)
    draws = method.draw(torch.Generator(), B)
    assert (float(draws["share"][0]) == 1) == whole
    loss = method.loss(Batch(IMAGES, LABELS, torch.arange(B), draws, lambda: IMAGES), clock_at(0))
    plain = sum(ce(z, int(y)) for z, y in zip(method.net(IMAGES), LABELS, strict=True)) / B
    assert math.isclose(float(loss.detach()), float(plain.detach()), rel_tol=1e-12) == whole
