"""ProSelfLC against its formula in loops, in float64, on half-trained predictions of skewed, noisy data."""

from __future__ import annotations

import math

import pytest
import torch
from likereal import CLASSES as C
from likereal import half_trained
from test_parity import EPOCHS, FOUND, clock_at, float64  # noqa: F401
from test_parity_noise import Given, assert_same, softmax
from torch import Tensor

from fer_bench.method import Batch, Context
from fer_bench.registry import load_class, resolve_parameters

B = 16
FACES = half_trained(B, 3)


def build(z: Tensor, **values: str):
    context = Context(C, FACES.given.clone(), FACES.given.bincount(minlength=C), EPOCHS, 3, lambda: Given(z))
    return load_class(FOUND["proselflc"])(context, **resolve_parameters(FOUND["proselflc"], values))


def batch() -> Batch:
    images = torch.zeros(B, 1, 2, 2)
    return Batch(images, FACES.given, torch.arange(B), {}, lambda: images)



def literal_trust(p: list[Tensor], step: int, b: float, turn: float) -> float:
    """Equation 7, steps counted from 1."""
    g = 1 / (1 + math.exp(-b * (step / (3 * EPOCHS) - turn)))
    entropy = sum(-float(x) * math.log(x) for x in p)
    return g * (1 - entropy / math.log(C))


def literal_proselflc(z: Tensor, labels: list[int], step: int, b: float = 10, turn: float = 0.5) -> Tensor:
    total = torch.zeros(())
    for row, y in zip(z, labels, strict=True):
        p = softmax(row)
        e = literal_trust([x.detach() for x in p], step, b, turn)
        total = total - sum(((1 - e) * (c == y) + e * p[c]) * torch.log(p[c]) for c in range(C))
    return total / len(labels)


@pytest.mark.parametrize(("values", "literal"), [({}, {}), ({"b": "6", "turn": "0.3"}, {"b": 6, "turn": 0.3})], ids=str)
@pytest.mark.parametrize("step", [0, 53, 90, 140, 179])
@pytest.mark.parametrize("sure", [0.3, 1, 4])
def test_proselflc_loss_and_gradient_are_those_of_the_formula(sure, step, values, literal):
    z = (sure * FACES.logits).requires_grad_()
    loss = build(z, **values).loss(batch(), clock_at(step / 3))
    assert_same(loss, literal_proselflc(z, FACES.given.tolist(), step + 1, **literal), [z])


def test_proselflc_trusts_as_in_the_papers_table():
    """Table 2: global trust .1 and .9 with local trust .1 and .9; here of probabilities with that entropy."""
    method = build(FACES.logits)
    for local in (0.1, 0.9):
        low, high = 1 / C, 1 - 1e-9  # the probability of one class, found by halving; the others share the rest
        for _ in range(60):
            top = (low + high) / 2
            p = torch.tensor([top] + [(1 - top) / (C - 1)] * (C - 1))
            low, high = (top, high) if 1 + float((p * p.log()).sum()) / math.log(C) < local else (low, top)
        for wanted in (0.1, 0.9):
            step = round(180 * (0.5 + math.log(wanted / (1 - wanted)) / 10)) - 1
            g = 1 / (1 + math.exp(-10 * ((step + 1) / 180 - 0.5)))
            trust = float(method.trust(p.log()[None], clock_at(step / 3)))
            assert trust == pytest.approx(g * local, rel=1e-6) and g == pytest.approx(wanted, abs=0.01)


def test_proselflc_revises_a_label_that_a_late_and_sure_network_contradicts():
    """At the end of training the target of a sure face is its prediction's class; at the start it is the label."""
    z = torch.full((1, C), 0.0)
    z[0, 2] = 12.0
    method = build(z)
    early, late = (float(method.trust(z.log_softmax(1), clock_at(epoch))) for epoch in (0, 59))
    assert early < 0.01 and late > 0.98
