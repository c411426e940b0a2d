"""The methods against label noise but DivideMix: losses and gradients against their formulas in loops, in float64."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from scipy.stats import beta, kstest
from test_parity import EPOCHS, FOUND, LABELS, LOGITS, B, C, clock_at, float64  # noqa: F401
from test_parity import MIRRORED as PEER
from torch import Tensor, nn

from fer_bench.method import Batch, Context
from fer_bench.registry import load_class, resolve_parameters

IMAGES, SECOND = torch.randn(2, B, 1, 2, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


class Given(nn.Module):
    """A network that returns stored logits, whatever the faces."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, images: Tensor) -> Tensor:
        return self.logits


class Pixels(nn.Linear):
    """A linear network on the pixels of 2 x 3 images."""

    def __init__(self, seed: int) -> None:
        torch.manual_seed(seed)
        super().__init__(6, C)

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images.flatten(1))


def build(name: str, *networks: nn.Module, rate: float | None = None, labels: Tensor = LABELS, **values: str):
    """A method on these networks. ``values`` as given with --set."""
    counts, given = labels.bincount(minlength=C), iter(networks)
    context = Context(C, labels.clone(), counts, EPOCHS, 3, lambda: next(given), noise_rate=rate)
    return load_class(FOUND[name])(context, **resolve_parameters(FOUND[name], values))


def batch(index: list[int] = range(B), **draws: Tensor) -> Batch:
    rows = torch.tensor(list(index))
    return Batch(IMAGES[rows], LABELS[rows], rows, draws, lambda: SECOND[rows])


def softmax(z: Tensor) -> list[Tensor]:
    """The probabilities of one face, z [C]."""
    powers = [torch.exp(value) for value in z]
    return [power / sum(powers) for power in powers]


def ce(z: Tensor, label: int) -> Tensor:
    return -torch.log(softmax(z)[label])


def literal_face(name: str, z: Tensor, y: int, values: dict[str, str]) -> Tensor:
    """The loss of one face for the methods that treat each by itself."""
    p, v = softmax(z), {key: float(text) for key, text in values.items()}
    if name == "label-smoothing":
        e = v.get("epsilon", 0.1)
        return sum(-((1 - e if c == y else 0) + e / C) * torch.log(p[c]) for c in range(C))
    if name == "gce":
        q, k = v.get("q", 0.7), v.get("truncate", 0)
        return (1 - (p[y] if p[y].item() > k else torch.tensor(k)) ** q) / q
    if name == "sce":
        held = [value if value.item() > 1e-7 else torch.tensor(1e-7) for value in p]
        reverse = -sum(held[c] * math.log(1 if c == y else 1e-4) for c in range(C))
        return v.get("alpha", 1) * ce(z, y) + v.get("beta", 1) * reverse
    best, share = max(range(C), key=lambda c: p[c].item()), v.get("beta", 0.95 if name == "bootstrap" else 0.8)
    own = p if name == "bootstrap" else [float(c == best) for c in range(C)]
    return -sum((share * (c == y) + (1 - share) * own[c]) * torch.log(p[c]) for c in range(C))


VARIANTS = [("label-smoothing", {}), ("label-smoothing", {"epsilon": "0.3"}), ("gce", {}), ("gce", {"q": "0.2"}),
            ("gce", {"truncate": "0.3", "start": "0"}), ("sce", {}), ("sce", {"alpha": "0.1", "beta": "2"}),
            ("bootstrap", {}), ("bootstrap", {"beta": "0.3"}), ("bootstrap-hard", {}),
            ("bootstrap-hard", {"beta": "0.3"})]


def assert_same(loss: Tensor, expected: Tensor, leaves: list[Tensor]) -> None:
    """Equal losses and equal gradients with respect to the leaves."""
    found, wanted = (torch.autograd.grad(x, leaves, allow_unused=True, materialize_grads=True)
                     for x in (loss, expected))
    torch.testing.assert_close(loss, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(found, wanted, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("scale", [1, 6])
@pytest.mark.parametrize(("name", "values"), VARIANTS, ids=str)
def test_loss_and_gradient_are_those_of_the_formula(name, values, scale):
    z = (scale * LOGITS).requires_grad_()
    expected = sum(literal_face(name, z[i], int(LABELS[i]), values) for i in range(B)) / B
    assert_same(build(name, Given(z), **values).loss(batch(), clock_at(1)), expected, [z])


PLAIN = [("label-smoothing", {"epsilon": "0"}), ("sce", {"beta": "0"}), ("bootstrap", {"beta": "1"}),
         ("bootstrap-hard", {"beta": "1"}), ("elr", {"lam": "0"})]


@pytest.mark.parametrize(("name", "values"), PLAIN, ids=str)
def test_method_without_its_own_part_is_cross_entropy(name, values):
    z = LOGITS.clone().requires_grad_()
    expected = sum(ce(z[i], LABELS[i]) for i in range(B)) / B
    assert_same(build(name, Given(z), **values).loss(batch(), clock_at(1)), expected, [z])


def test_gce_lies_between_cross_entropy_and_mean_absolute_error():
    z = LOGITS.clone().requires_grad_()
    near_ce, mae = (build("gce", Given(z), q=q).loss(batch(), clock_at(0)) for q in ("1e-7", "1"))
    torch.testing.assert_close(near_ce, sum(ce(z[i], LABELS[i]) for i in range(B)) / B, rtol=1e-5, atol=0)
    assert_same(mae, sum(1 - softmax(z[i])[LABELS[i]] for i in range(B)) / B, [z])


def test_truncated_gce_learns_only_from_faces_above_the_threshold():
    z = LOGITS.clone().requires_grad_()
    build("gce", Given(z), truncate="0.3", start="0").loss(batch(), clock_at(0)).backward()
    above = [bool(softmax(z[i])[LABELS[i]] > 0.3) for i in range(B)]
    assert (z.grad.abs().sum(1) > 0).tolist() == above and len(set(above)) == 2


@pytest.mark.parametrize(("epoch", "values", "truncated"), [
    (0, {}, False), (19, {}, False), (20, {}, True), (59, {}, True), (5, {"start": "0.1"}, False),
    (6, {"start": "0.1"}, True)], ids=str)
def test_gce_truncates_from_its_start_on(epoch, values, truncated):
    z = LOGITS.clone().requires_grad_()
    literal = {"truncate": "0.3"} if truncated else {}
    expected = sum(literal_face("gce", z[i], int(LABELS[i]), literal) for i in range(B)) / B
    assert_same(build("gce", Given(z), truncate="0.3", **values).loss(batch(), clock_at(epoch)), expected, [z])


def test_mixup_loss_and_gradient_are_those_of_the_formula():
    net = Pixels(1)
    method = build("mixup", net)
    draws = method.draw(torch.Generator().manual_seed(3), B)
    lam, partner = float(draws["share"][0]), draws["partner"].tolist()
    expected = 0
    for i, j in enumerate(partner):
        z = net.weight @ (lam * IMAGES[i] + (1 - lam) * IMAGES[j]).flatten() + net.bias
        expected = expected + (lam * ce(z, LABELS[i]) + (1 - lam) * ce(z, LABELS[j])) / B
    assert_same(method.loss(batch(**draws), clock_at(0)), expected, [net.weight, net.bias])
    whole = method.loss(batch(share=torch.ones(B), partner=draws["partner"]), clock_at(0))
    assert_same(whole, sum(ce(net(IMAGES)[i], LABELS[i]) for i in range(B)) / B, [net.weight, net.bias])


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_mixup_draws_one_beta_share_and_one_permutation_per_batch(alpha):
    method, generator = build("mixup", Pixels(1), alpha=str(alpha)), torch.Generator().manual_seed(1)
    drawn = [method.draw(generator, B) for _ in range(1000)]
    assert all(sorted(d["partner"].tolist()) == list(range(B)) and len(set(d["share"].tolist())) == 1 for d in drawn)
    assert kstest([float(d["share"][0]) for d in drawn], beta(alpha, alpha).cdf).pvalue > 1e-6


def test_mixup_with_alpha_zero_mixes_nothing():
    method, generator = build("mixup", Pixels(1), alpha="0"), torch.Generator().manual_seed(1)
    for _ in range(5):
        assert method.draw(generator, B)["share"].tolist() == [1] * B


def kept(losses: list[float], rate: Fraction, epoch: int) -> list[int]:
    """The floor((1 - R) B) smallest, at least one; R reaches the rate in the third of 60 epochs."""
    share = 1 - rate * min(Fraction(epoch + 1, 3), 1)
    return sorted(range(len(losses)), key=lambda i: losses[i])[: max(1, math.floor(share * len(losses)))]


def literal_co_teaching(z: Tensor, peer: Tensor, rate: Fraction, epoch: int) -> Tensor:
    one, other = ([ce(logits[i], LABELS[i]) for i in range(len(z))] for logits in (z, peer))
    easy_one, easy_other = (kept([loss.item() for loss in losses], rate, epoch) for losses in (one, other))
    return sum(one[i] for i in easy_other) / len(easy_other) + sum(other[i] for i in easy_one) / len(easy_one)


def literal_jocor(z: Tensor, peer: Tensor, rate: Fraction, epoch: int, lam: float = 0.1) -> Tensor:
    losses = []
    for i in range(len(z)):
        p, q = softmax(z[i]), softmax(peer[i])
        apart = sum(p[c] * torch.log(p[c] / q[c]) + q[c] * torch.log(q[c] / p[c]) for c in range(C))
        losses.append((1 - lam) * (ce(z[i], LABELS[i]) + ce(peer[i], LABELS[i])) + lam * apart)
    chosen = kept([loss.item() for loss in losses], rate, epoch)
    return sum(losses[i] for i in chosen) / len(chosen)


@pytest.mark.parametrize("epoch", [0, 1, 2, 3, 59])
@pytest.mark.parametrize("rate", [Fraction(3, 8), Fraction(37, 100), Fraction(99, 100)], ids=str)
@pytest.mark.parametrize(("name", "literal", "values"), [
    ("co-teaching", literal_co_teaching, {}), ("jocor", literal_jocor, {}), ("jocor", literal_jocor, {"lam": 0.3})])
def test_two_networks_learn_from_the_kept_faces(name, literal, values, rate, epoch):
    z, peer = (t.clone().requires_grad_() for t in (LOGITS, PEER))
    given = {key: str(value) for key, value in values.items()}
    loss = build(name, Given(z), Given(peer), rate=float(rate), ramp="0.05", **given).loss(batch(), clock_at(epoch))
    assert_same(loss, literal(z, peer, rate, epoch, **values), [z, peer])


@pytest.mark.parametrize("name", ["co-teaching", "jocor"])
def test_two_networks_forget_fully_from_the_tenth_of_sixty_epochs_on(name):
    """By default, of 16 faces with a noise rate of .8: R is .08, .4, .72, .8, .8 (the paper's form)."""
    for epoch, count in ((0, 14), (4, 9), (8, 4), (9, 3), (10, 3)):
        z = LOGITS.clone().requires_grad_()
        method = build(name, Given(z), Given(PEER), rate=0.8)
        method.loss(batch(), clock_at(epoch)).backward()
        assert int((z.grad.abs().sum(1) > 0).sum()) == count
    assert method.ramp * EPOCHS == pytest.approx(10, abs=1e-9)


@pytest.mark.parametrize("name", ["co-teaching", "jocor"])
def test_rate_is_the_true_one_or_the_fixed_one_and_the_first_network_predicts(name):
    fixed = {"oracle_rate": "false", "forget_rate": "0.75"}
    for given, values, count in ((0.5, {}, 8), (None, {}, 12), (0.5, {"oracle_rate": "false"}, 12), (0.5, fixed, 4)):
        z = LOGITS.clone().requires_grad_()
        method = build(name, Given(z), Given(PEER), rate=given, **values)
        method.loss(batch(), clock_at(59)).backward()
        assert int((z.grad.abs().sum(1) > 0).sum()) == count
        assert method.predict(IMAGES) is z


def test_one_optimiser_over_two_networks_is_two_optimisers():
    networks, own, rate = [Pixels(1), Pixels(2)], [Pixels(1), Pixels(2)], Fraction(2, 5)
    method = build("co-teaching", *networks, rate=float(rate), ramp="0.05")
    together = torch.optim.Adam(method.param_groups(0.05), weight_decay=1e-2)
    apart = [torch.optim.Adam(net.parameters(), lr=0.05, weight_decay=1e-2) for net in own]
    for epoch in range(8):
        together.zero_grad()
        method.loss(batch(), clock_at(epoch)).backward()
        together.step()
        losses = [[ce(z, label) for z, label in zip(net(IMAGES), LABELS, strict=True)] for net in own]
        easy = [kept([loss.item() for loss in one], rate, epoch) for one in losses]
        for k, optimiser in enumerate(apart):
            optimiser.zero_grad()
            (sum(losses[k][i] for i in easy[1 - k]) / len(easy[1 - k])).backward()
            optimiser.step()
    torch.testing.assert_close([n.weight for n in networks], [n.weight for n in own], rtol=1e-12, atol=1e-12)
    assert (own[0].weight - Pixels(1).weight).abs().min() > 0.01
