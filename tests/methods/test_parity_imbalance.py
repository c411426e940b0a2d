"""The methods against imbalance: losses and gradients against their formulas in loops, in float64; the order of
balanced epochs; the two stages of cRT."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import chi2
from test_parity import EPOCHS, FOUND, LABELS, LOGITS, B, C, clock_at, float64  # noqa: F401
from tinydata import begun, changed, state_of, train_epoch
from torch import Tensor, nn

from fer_bench.method import Batch, Context
from fer_bench.parts.sampling import balanced_order
from fer_bench.registry import load_class, resolve_parameters

COUNTS = [1290, 281, 717, 4772, 1982, 705, 2524]  # of RAF-DB
D = 5
FEATURES = torch.randn(B, D, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


class Features(nn.Module):
    """A network whose embedding is given and whose head is linear, or passes given logits on."""

    dim = D

    def __init__(self, features: Tensor, head: nn.Module) -> None:
        super().__init__()
        self.features, self.head, self.trunk = features, head, nn.Identity()

    def embed(self, images: Tensor) -> Tensor:
        return self.features

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.embed(images))


def build(name: str, features: Tensor, head: nn.Module | None = None, counts: list[int] = COUNTS, **values: str):
    """A method on given logits, or on given features and a head. ``values`` as given with --set."""
    context = Context(C, LABELS.clone(), torch.tensor(counts), EPOCHS, 3, lambda: Features(features, head or Bare()))
    return load_class(FOUND[name])(context, **resolve_parameters(FOUND[name], values))


class Bare(nn.Identity):
    """No head, with the weights that cRT asks a head for."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = self.bias = nn.Parameter(torch.zeros(1))


def batch() -> Batch:
    images = torch.zeros(B, 1, 2, 2)
    return Batch(images, LABELS, torch.arange(B), {}, lambda: images)


def ce(z: list[Tensor] | Tensor, label: int) -> Tensor:
    return -torch.log(torch.exp(z[label]) / sum(torch.exp(value) for value in z))


def effective(beta: float) -> list[float]:
    """Class-balanced weights of RAF-DB's counts."""
    weights = [(1 - beta) / (1 - beta**n) for n in COUNTS]
    return [w * C / sum(weights) for w in weights]


def literal_face(name: str, z: Tensor, y: int, values: dict[str, str]) -> Tensor:
    """The loss of one face for the methods that work on logits."""
    v, loss = {key: float(text) for key, text in values.items() if key != "when"}, ce(z, y)
    if name.startswith("class-balanced"):
        gamma = v.get("gamma", 1 if name.endswith("focal") else 0)
        p = torch.exp(z[y]) / sum(torch.exp(value) for value in z)
        return effective(v.get("beta", 0.9999))[y] * (1 - p) ** gamma * loss
    if name in ("balanced-softmax", "logit-adjustment"):  # each class as if there were n^tau of it
        powers = [torch.exp(z[c]) * COUNTS[c] ** v.get("tau", 1) for c in range(C)]
        return -torch.log(powers[y] / sum(powers))
    return loss


VARIANTS = [("class-balanced", {}), ("class-balanced", {"beta": "0.999"}), ("class-balanced-focal", {}),
            ("class-balanced-focal", {"gamma": "2", "beta": "0.99"}), ("class-balanced-focal", {"gamma": "0.5"}),
            ("balanced-softmax", {}), ("logit-adjustment", {}), ("logit-adjustment", {"tau": "0.5"}),
            ("logit-adjustment", {"tau": "0"}), ("logit-adjustment-post-hoc", {}),
            ("logit-adjustment-post-hoc", {"tau": "3"}), ("oversample", {}), ("crt", {})]


def assert_same(loss: Tensor, expected: Tensor, leaves: list[Tensor]) -> None:
    """Equal losses and equal gradients with respect to the leaves."""
    torch.testing.assert_close(loss, expected, rtol=1e-10, atol=1e-12)
    found, wanted = (torch.autograd.grad(x, leaves) for x in (loss, expected))
    torch.testing.assert_close(found, wanted, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("scale", [1, 5])
@pytest.mark.parametrize(("name", "values"), VARIANTS, ids=str)
def test_loss_and_gradient_are_those_of_the_formula(name, values, scale):
    z = (scale * LOGITS).requires_grad_()
    expected = sum(literal_face(name, z[i], int(LABELS[i]), values) for i in range(B)) / B
    assert_same(build(name, z, **values).loss(batch(), clock_at(1)), expected, [z])


def literal_ldam(features: Tensor, head: Tensor, late: bool, scale: float, most: float) -> Tensor:
    """From cosines; late: with the class weights."""
    weights, total, shares, rarest = effective(0.9999), 0, 0, min(COUNTS) ** -0.25
    for i, y in enumerate(LABELS.tolist()):
        z = [features[i] @ row / torch.sqrt((features[i] ** 2).sum()) / torch.sqrt((row**2).sum()) for row in head]
        z[y] = z[y] - most * COUNTS[y] ** -0.25 / rarest
        weight = weights[y] if late else 1
        total, shares = total + weight * ce([scale * value for value in z], y), shares + weight
    return total / shares


@pytest.mark.parametrize(("values", "turn"), [
    ({}, 48), ({"scale": "7", "max_margin": "0.2"}, 48), ({"deferred": "0.5"}, 30), ({"deferred": "0.91"}, 55),
], ids=str)
@pytest.mark.parametrize("epoch", [0, 29, 30, 47, 48, 54, 55, 59])
def test_ldam_loss_and_gradient_are_those_of_the_formula(epoch, values, turn):
    features = FEATURES.clone().requires_grad_()
    method = build("ldam-drw", features, nn.Linear(D, C), **values)
    scale, most = float(values.get("scale", 30)), float(values.get("max_margin", 0.5))
    head = method.net.head.weight
    expected = literal_ldam(features, head, epoch >= turn, scale, most)
    assert_same(method.loss(batch(), clock_at(epoch)), expected, [features, head])


def test_ldam_head_begins_with_rows_of_norm_one_in_all_directions():
    torch.manual_seed(0)
    weight = build("ldam-drw", FEATURES, nn.Linear(D, C)).net.head.weight
    assert weight.norm(dim=1).tolist() == pytest.approx([1] * C) and weight.requires_grad
    assert (weight < 0).any(0).all() and (weight > 0).any(0).all()


def test_ldam_margins_of_raf_db_are_those_of_the_reference():
    margins = build("ldam-drw", FEATURES, nn.Linear(D, C)).margins.tolist()
    assert margins == pytest.approx([0.342, 0.5, 0.396, 0.246, 0.307, 0.397, 0.289], abs=5.01e-4)


@pytest.mark.parametrize("name", ["class-balanced", "class-balanced-focal", "ldam-drw"])
@pytest.mark.parametrize(("beta", "expected"), [("0.9999", [0.671, 2.932, 1.174, 0.214, 0.452, 1.193, 0.364]),
                                                ("0.999", [0.764, 2.259, 1.081, 0.558, 0.642, 1.094, 0.602])])
def test_class_balanced_weights_of_raf_db_are_those_of_the_reference(name, beta, expected):
    weights = build(name, FEATURES, nn.Linear(D, C), beta=beta).weights
    assert weights.tolist() == pytest.approx(expected, abs=5.01e-4)
    assert float(weights.sum()) == pytest.approx(C)


def test_class_balanced_weights_hold_in_single_precision():
    expected = effective(0.9999)
    torch.set_default_dtype(torch.float32)
    assert build("class-balanced", LOGITS.float()).weights.tolist() == pytest.approx(expected, rel=1e-6)


def test_balanced_softmax_is_logit_adjustment_with_tau_one():
    z = LOGITS.clone().requires_grad_()
    one, other = (build(name, z).loss(batch(), clock_at(0)) for name in ("balanced-softmax", "logit-adjustment"))
    assert_same(one, other, [z])


@pytest.mark.parametrize("tau", [0, 0.5, 1])
def test_post_hoc_adjustment_alone_moves_the_predictions(tau):
    images = torch.zeros(B, 1, 2, 2)
    moved = build("logit-adjustment-post-hoc", LOGITS, tau=str(tau)).predict(images)
    expected = [[float(LOGITS[i, c]) - tau * math.log(COUNTS[c] / sum(COUNTS)) for c in range(C)] for i in range(B)]
    torch.testing.assert_close(moved, torch.tensor(expected), rtol=1e-12, atol=1e-12)
    for name in ("logit-adjustment", "balanced-softmax"):
        assert build(name, LOGITS).predict(images).equal(LOGITS)


# Orders and stages


def surprise(observed: list[int], chances: list[float]) -> float:
    """Probability that so many draws differ from their chances as much as these, or more."""
    total = sum(observed)
    distance = sum((o - total * p) ** 2 / (total * p) for o, p in zip(observed, chances, strict=True))
    return chi2.sf(distance, len(observed) - 1)


def shuffled_labels(counts: list[int]) -> Tensor:
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    return labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_balanced_order_draws_every_class_equally_often(seed):
    labels = shuffled_labels(COUNTS)
    order = balanced_order(labels, torch.Generator().manual_seed(seed))
    assert order.shape == labels.shape and order.dtype == torch.int64
    assert surprise(labels[order].bincount(minlength=C).tolist(), [1 / C] * C) > 1e-7
    halves = [int(part.bincount(minlength=C)[1]) for part in labels[order].chunk(2)]
    assert surprise(halves, [0.5, 0.5]) > 1e-7


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_balanced_order_draws_the_faces_of_a_class_equally_often(seed):
    counts, generator = [40, 20, 10, 4, 1], torch.Generator().manual_seed(seed)
    labels = shuffled_labels(counts)
    drawn = torch.cat([balanced_order(labels, generator) for _ in range(400)]).bincount(minlength=75).tolist()
    assert surprise(drawn, [1 / 5 / counts[label] for label in labels]) > 1e-7


@pytest.mark.parametrize("name", ["oversample", "crt"])
def test_order_is_balanced_over_the_given_labels_and_is_of_the_generator_alone(name):
    method = build(name, LOGITS)
    one, same, other = (method.order(clock_at(50), torch.Generator().manual_seed(seed)) for seed in (4, 4, 5))
    assert one.equal(same) and not one.equal(other)
    assert one.equal(balanced_order(LABELS, torch.Generator().manual_seed(4)))


def test_crt_has_an_order_of_its_own_in_the_second_stage_alone():
    method = build("crt", LOGITS)
    owned = [method.order(clock_at(epoch), torch.Generator()) is not None for epoch in (0, 47, 48, 59)]
    assert owned == [False, False, True, True]


@pytest.fixture
def single(float64):  # noqa: F811
    """Trainers compute in single precision."""
    torch.set_default_dtype(torch.float32)


def test_first_stage_of_crt_is_cross_entropy(single):
    crt, ce = (begun(load_class(FOUND[name]), {}) for name in ("crt", "ce"))
    for trainer in (crt, ce):
        train_epoch(trainer, 0)
    assert changed(state_of(ce), state_of(crt)) == []


def test_second_stage_of_crt_changes_the_head_alone_from_its_first_weights_on(single):
    trainer = begun(load_class(FOUND["crt"]), {"start": 1 / 3})
    first = state_of(trainer)
    train_epoch(trainer, 0)
    trained = state_of(trainer)
    assert any("running_mean" in name for name in changed(first, trained))
    trainer.begin(1)
    begun_anew = state_of(trainer)
    assert sorted(changed(trained, begun_anew)) == ["net.head.bias", "net.head.weight"]
    assert not [name for name in changed(first, begun_anew) if "head" in name]
    for epoch in (1, 2):
        before = begun_anew if epoch == 1 else state_of(trainer)
        train_epoch(trainer, epoch)
        trainer.predict("test")
        assert sorted(changed(before, state_of(trainer))) == ["net.head.bias", "net.head.weight"]
    after = state_of(trainer)
    trainer.begin(2)
    assert changed(after, state_of(trainer)) == []  # it begins anew once
