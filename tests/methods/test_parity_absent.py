"""A class without a training face: the others get the weights, margins and losses that they have without it."""

from __future__ import annotations

import math
import sys

import pytest
import torch
from test_parity import EPOCHS, FOUND, LABELS, LOGITS, B, C, clock_at, float64  # noqa: F401
from test_parity_branches import softmax, sweep
from test_parity_fer import LABELS as GIVEN
from test_parity_fer import Given, random_maps
from test_parity_fer import build as build_fer
from test_parity_imbalance import COUNTS, Bare, Features, assert_same, batch, effective
from torch import nn

from fer_bench.method import Context
from fer_bench.parts.class_weights import effective_number_weights, inverse_frequency
from fer_bench.registry import load_class, resolve_parameters

D, PLACES = 5, [0, 3, C]  # where the absent class stands


def build(name, counts, net, **values):
    context = Context(len(counts), LABELS.clone(), torch.tensor(counts), EPOCHS, 3, lambda: net)
    return load_class(FOUND[name])(context, **resolve_parameters(FOUND[name], values))


def without(x, place, dim=-1):
    """A tensor less what it says of the absent class."""
    return x[..., [c for c in range(x.shape[dim]) if c != place]]


def with_absent(place):
    return [*COUNTS[:place], 0, *COUNTS[place:]]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("beta", [0.9999, 0.9, 0, 1])
def test_weights_of_the_others_are_those_without_the_absent_class(place, beta):
    counts, present = torch.tensor(with_absent(place)), torch.tensor(COUNTS)
    for absent, alone in ((effective_number_weights(counts, beta), effective_number_weights(present, beta)),
                          (inverse_frequency(counts), inverse_frequency(present))):
        torch.testing.assert_close(without(absent, place), alone, rtol=1e-12, atol=0)
        assert absent[place] == 0
    assert float(effective_number_weights(counts, beta).sum()) == pytest.approx(C)


def test_effective_number_with_beta_one_is_its_limit_inverse_frequency():
    shares = [1 / n for n in COUNTS]
    expected = [C * share / sum(shares) for share in shares]
    for beta, tolerance in ((1, 1e-12), (1 - 1e-9, 1e-5)):
        assert effective_number_weights(torch.tensor(COUNTS), beta).tolist() == pytest.approx(expected, rel=tolerance)
    loss = build("class-balanced", COUNTS, Features(LOGITS, Bare()), beta="1").loss(batch(), clock_at(0))
    assert math.isfinite(loss) and expected != pytest.approx(effective(0.9999))


ON_LOGITS = ["class-balanced", "class-balanced-focal", "balanced-softmax", "logit-adjustment", "focal", "oversample",
             "logit-adjustment-post-hoc"]


@pytest.mark.parametrize("name", ON_LOGITS)
def test_loss_and_gradient_are_those_without_a_class_that_is_absent_and_never_predicted(name):
    z = LOGITS.clone().requires_grad_()
    wide = torch.cat([z, torch.full((B, 1), -1e4)], 1)
    one, other = (build(name, counts, Features(logits, Bare())).loss(batch(), clock_at(0))
                  for counts, logits in (([*COUNTS, 0], wide), (COUNTS, z)))
    assert_same(one, other, [z])


@pytest.mark.parametrize("name", ["balanced-softmax", "logit-adjustment", "logit-adjustment-post-hoc"])
def test_an_absent_class_is_adjusted_as_if_it_had_one_face(name):
    """And not by log 0: its logit is trained down, and after training it is not every prediction."""
    z = torch.cat([LOGITS, LOGITS[:, :1]], 1).requires_grad_()
    method = build(name, [*COUNTS, 0], Features(z, Bare()))
    if name.endswith("post-hoc"):
        moved = method.predict(torch.zeros(B, 1, 2, 2)) - z
        expected = [-math.log(n / sum(COUNTS)) for n in [*COUNTS, 1]]
        torch.testing.assert_close(moved, torch.tensor(expected).expand(B, -1), rtol=1e-12, atol=1e-12)
        return
    shifted = z + torch.tensor([math.log(n) for n in [*COUNTS, 1]])
    expected = sum(-torch.log(softmax(shifted[i])[LABELS[i]]) for i in range(B)) / B
    loss = method.loss(batch(), clock_at(0))
    assert_same(loss, expected, [z])
    assert (torch.autograd.grad(method.loss(batch(), clock_at(0)), z)[0][:, C] > 0).all()


@pytest.mark.parametrize("place", PLACES)
def test_ldam_margins_and_weights_of_the_others_are_those_without_the_absent_class(place):
    features = torch.randn(B, D)
    absent = build("ldam-drw", with_absent(place), Features(features, nn.Linear(D, C + 1)))
    alone = build("ldam-drw", COUNTS, Features(features, nn.Linear(D, C)))
    for name in ("margins", "weights"):
        found = getattr(absent, name)
        torch.testing.assert_close(without(found, place), getattr(alone, name), rtol=1e-12, atol=0)
        assert found[place] == 0
    assert float(alone.margins.max()) == pytest.approx(0.5)


def mek(counts):
    net = Given(random_maps())
    net.head = nn.Linear(net.dim, len(counts))
    return build("mek", counts, net)


@pytest.mark.parametrize("place", PLACES)
def test_mek_teaches_nothing_of_the_absent_class(place):
    absent, alone = mek(with_absent(place)), mek(COUNTS)
    torch.testing.assert_close(without(absent.rarity, place), alone.rarity, rtol=1e-12, atol=0)
    rows = without(absent.targets.T, place).T
    torch.testing.assert_close(without(rows, place), alone.targets, rtol=1e-12, atol=0)
    assert absent.rarity[place] == 0 and rows[:, place].eq(0).all()
    assert absent.targets.sum(1).tolist() == pytest.approx([1] * (C + 1))


def test_one_class_alone_learns_its_own_label():
    method = mek([0, 0, 40, 0])
    assert method.targets[2].tolist() == [0, 0, 1, 0] and method.targets.isfinite().all()
    assert method.rarity.tolist() == pytest.approx([0, 0, 0.1, 0])
    assert effective_number_weights(torch.tensor([0, 0, 40, 0]), 0.9999).tolist() == pytest.approx([0, 0, 1, 0])


# ReSup: what its mixture is fitted to


def test_resup_fits_the_mixture_to_the_cosine_of_prediction_and_label(monkeypatch):
    method, given = build_fer("resup", random_maps(), random_maps()), []
    monkeypatch.setattr(sys.modules[type(method).__module__], "beta_high", lambda s: given.append(s.clone()) or s)
    method.begin_epoch(clock_at(1), sweep)
    assert len(given) == 2
    for found, net in zip(given, (method.net, method.peer), strict=True):
        p = [softmax(net.head(face.mean((1, 2)))).tolist() for face in net.maps[1]]
        expected = [row[y] / math.sqrt(sum(value**2 for value in row)) for row, y in zip(p, GIVEN, strict=True)]
        assert found.tolist() == pytest.approx(expected, rel=1e-10)
        assert found.tolist() != pytest.approx([row[y] for row, y in zip(p, GIVEN, strict=True)], rel=0.1)  # not p_y
    assert method.weight.T.tolist() == [s.tolist() for s in given]
