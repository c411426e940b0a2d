"""DARE against its formula in loops, in float64, on half-trained predictions of skewed, noisy data."""

from __future__ import annotations

import math

import pytest
import torch
from likereal import CLASSES as C
from likereal import half_trained
from test_parity import EPOCHS, FOUND, clock_at, float64  # noqa: F401
from test_parity_noise import Given, assert_same, ce, softmax
from torch import Tensor

from fer_bench.method import Batch, Context
from fer_bench.registry import load_class, resolve_parameters

B = 10
FACES = half_trained(B, 7)


def build(z: Tensor, **values: str):
    context = Context(C, FACES.given.clone(), FACES.given.bincount(minlength=C), EPOCHS, 3, lambda: Given(z))
    return load_class(FOUND["dare-loss"])(context, **resolve_parameters(FOUND["dare-loss"], values))


def literal_dare(z: Tensor, y: int, temperature: float) -> Tensor:
    """utils.py:16-40: the logits of all but label and rival sunk by 9999."""
    p = [float(x.detach()) for x in softmax(z)]
    rival = max((c for c in range(C) if c != y), key=lambda c: z[c].item())
    moved = [z[c] + temperature * (1 - p[y]) * (c != y) - 9999 * (c not in (y, rival)) for c in range(C)]
    top = max(float(x.detach()) for x in moved)
    return -(moved[y] - top) + torch.log(sum(torch.exp(x - top) for x in moved))


def literal_smooth(z: Tensor, y: int, epsilon: float) -> Tensor:
    """utils.py:42-55."""
    p = softmax(z)
    return -(1 - epsilon) * torch.log(p[y]) - epsilon * sum(torch.log(x) for x in p) / C


SETTINGS = [({}, {}), ({"weight": "0.5", "temperature": "3", "smoothing": "0.4", "smooth_weight": "1", "warmup": "0.1"},
                       {"weight": 0.5, "temperature": 3, "smoothing": 0.4, "smooth_weight": 1})]


@pytest.mark.parametrize(("values", "literal"), SETTINGS, ids=["defaults", "others"])
@pytest.mark.parametrize("epoch", [0, 1, 5, 6, 59])
@pytest.mark.parametrize("sure", [0.2, 1, 6])
def test_dare_loss_and_gradient_are_those_of_the_formula(sure, epoch, values, literal):
    z = (sure * FACES.logits).requires_grad_()
    method = build(z, **values)
    v = {"weight": 0.1, "temperature": 1, "smoothing": 0.2, "smooth_weight": 2} | literal
    early = epoch < (6 if values else 1)
    total = torch.zeros(())
    for row, y in zip(z, FACES.given.tolist(), strict=True):
        more = v["smooth_weight"] * literal_smooth(row, y, v["smoothing"]) if early else (
            v["weight"] * literal_dare(row, y, v["temperature"]))
        total = total + (ce(row, y) + more) / B
    given = Batch(torch.zeros(B, 1, 2, 2), FACES.given, torch.arange(B), {}, lambda: z)
    assert_same(method.loss(given, clock_at(epoch)), total, [z])


def test_dare_asks_a_doubted_label_for_a_larger_margin():
    """The loss at which a label ties with its rival grows with the doubt, from log 2 on."""
    method = build(FACES.logits)
    label = torch.tensor([0])
    losses = []
    for others in (-30.0, 0.0, 2.0):  # of the five other classes: the more they have, the less has the label
        z = torch.full((1, C), others)
        z[0, :2] = 2.0
        losses.append(float(method.repulsion(z, label)))
    assert losses[0] == pytest.approx(math.log(1 + math.exp(0.5)), rel=1e-6)
    assert losses[2] == pytest.approx(math.log(1 + math.exp(6 / 7)), rel=1e-6) and losses == sorted(losses)
