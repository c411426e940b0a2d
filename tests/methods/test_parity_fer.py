"""Losses and gradients of the one-network methods of the family "fer" against their formulas, written out in loops."""

from __future__ import annotations

import pytest
import torch
from test_parity import float64, literal_weight  # noqa: F401
from torch import nn

from fer_bench.engine.data import make_clock, set_clock
from fer_bench.method import Batch, Context
from fer_bench.parts.dropout import seeded_dropout
from fer_bench.registry import load_class, methods, resolve_parameters

FOUND, EPOCHS, C, B, D, H, W = methods()[0], 60, 7, 8, 5, 2, 3
GENERATOR = torch.Generator().manual_seed(0)
LABELS = torch.tensor([3, 0, 3, 6, 1, 5, 0, 2])  # nobody of class 4
FACES, MIRRORED, SECOND, SECOND_MIRRORED = 1, 0, 2, 3  # the first pixel says which image it is
IMAGES = torch.tensor([1.0, 7.0, 0.0]).expand(B, 1, 2, 3)
VIEWS = torch.tensor([2.0, 7.0, 3.0]).expand(B, 1, 2, 3)
RAF = [1290, 281, 717, 4772, 1982, 705, 2524]
RAF_RARITY = [0.951, 4.367, 1.711, 0.257, 0.619, 1.741, 0.486]


class Given(nn.Module):
    """A network with stored feature maps [4, B, D, h, w]: of faces, of a second view, and of their mirror images."""

    def __init__(self, maps):
        super().__init__()
        self.maps, self.dim, self.head = maps, maps.shape[2], nn.Linear(maps.shape[2], C)

    def features(self, images):
        return self.maps[int(images[0, 0, 0, 0])]

    def embed(self, images):
        return self.features(images).mean((2, 3))

    def forward(self, images):
        return self.head(self.embed(images))


def random_maps(*shape):
    return torch.randn(*(shape or (4, B, D, H, W)), generator=GENERATOR, dtype=torch.float64).requires_grad_()


def build(name, *stored, net=Given, labels=LABELS, counts=None, **values):
    """A method on networks with stored content, one for each; ``values`` as given with --set."""
    networks = iter(stored)
    counts = labels.bincount(minlength=C) if counts is None else torch.tensor(counts)
    context = Context(C, labels.clone(), counts, EPOCHS, 3, lambda: net(next(networks)), (1, 2, 3))
    return load_class(FOUND[name])(context, **resolve_parameters(FOUND[name], values))


def clock_at(epoch):
    clock = make_clock(EPOCHS, 3, torch.device("cpu"))
    set_clock(clock, 3 * epoch)
    return clock


def batch(draws=None, size=B):
    return Batch(IMAGES[:size], LABELS[:size], torch.arange(size), draws or {},
                 lambda: VIEWS[:size],
                 lambda name: VIEWS[:size].flip(-1) if name == "mirrored" else VIEWS[:size])


def assert_same(loss, expected, *inputs):
    """Equal values and gradients."""
    torch.testing.assert_close(loss, expected, rtol=1e-10, atol=1e-12)
    found, wanted = (torch.autograd.grad(x, inputs, allow_unused=True, materialize_grads=True)
                     for x in (loss, expected))
    assert any(bool(g.abs().max() > 1e-9) for g in wanted)
    torch.testing.assert_close(found, wanted, rtol=1e-8, atol=1e-11)


def literal_ce(z, label):
    return -torch.log(z[label].exp() / sum(z[k].exp() for k in range(len(z))))


def linear(layer, x):
    rows = [sum(row[d] * x[d] for d in range(len(x))) for row in layer.weight]
    return torch.stack(rows) + (0 if layer.bias is None else layer.bias)


def pooled(maps):
    """[B, D] of maps [B, D, h, w], place by place."""
    places = [maps[:, :, i, j] for i in range(maps.shape[2]) for j in range(maps.shape[3])]
    return sum(places) / len(places)


def normed(x, norm):
    """Batch normalisation of [B, D, ...] by its own statistics, channel by channel."""
    channels = []
    for d in range(x.shape[1]):
        values = x[:, d]
        mean = values.sum() / values.numel()
        spread = ((values - mean) ** 2).sum() / values.numel()
        y = (values - mean) / torch.sqrt(spread + norm.eps)
        channels.append(y * norm.weight[d] + norm.bias[d] if norm.affine else y)
    return torch.stack(channels, 1)


def literal_apart(maps, mirrored, weight):
    """Per face and class: mean over places of the squared difference of a map and the mirrored face's, turned back."""
    weight = weight.detach()
    return [[sum((weight[c] @ maps[n, :, i, j] - weight[c] @ mirrored[n, :, i, maps.shape[3] - 1 - j]) ** 2
                 for i in range(maps.shape[2]) for j in range(maps.shape[3])) / (maps.shape[2] * maps.shape[3])
             for c in range(len(weight))] for n in range(len(maps))]


def mean_ce(net, maps):
    return sum(literal_ce(linear(net.head, f), LABELS[n]) for n, f in enumerate(pooled(maps))) / B


@pytest.mark.parametrize(("view", "which"), [("independent", SECOND_MIRRORED), ("mirror", MIRRORED)])
def test_eac_is_cross_entropy_and_the_maps_of_the_mirrored_view_turned_back(view, which):
    maps = random_maps()
    method = build("eac", maps, view=view)
    apart = literal_apart(maps[FACES], maps[which], method.net.head.weight)
    expected = mean_ce(method.net, maps[FACES]) + 5 * sum(sum(row) for row in apart) / (B * C)
    assert_same(method.loss(batch(), clock_at(3)), expected, maps, *method.parameters())


def test_eac_asks_nothing_more_of_a_symmetric_face():
    maps = random_maps().detach()
    maps[MIRRORED] = maps[FACES].flip(-1)  # a symmetric network; the two views are one image
    method = build("eac", maps, view="mirror")
    assert torch.allclose(method.loss(batch(), clock_at(0)), mean_ce(method.net, maps[FACES]), rtol=1e-12, atol=0)


@pytest.mark.parametrize("epoch", [0, 3, 59])
@pytest.mark.parametrize("name", ["naw-l1", "l1", "naw-cam", "cam"])
def test_nla_ablations_are_weighted_cross_entropy_and_their_consistency(name, epoch):
    maps = random_maps()
    method = build(name, maps)
    apart = literal_apart(maps[FACES], maps[MIRRORED], method.net.head.weight)
    expected = 0
    for n in range(B):
        z, other = (linear(method.net.head, pooled(maps[which])[n]) for which in (FACES, MIRRORED))
        p, q = (x.exp() / x.exp().sum() for x in (z, other))
        weight = literal_weight(p, int(LABELS[n]), epoch) if name.startswith("naw") else 0
        consistency = sum((p[k] - q[k]).abs() for k in range(C)) if name.endswith("l1") else sum(apart[n]) / C
        expected = expected + (0.5 * (1 + weight) * literal_ce(z, LABELS[n]) + 0.5 * consistency) / B
    assert_same(method.loss(batch(), clock_at(epoch)), expected, maps, *method.parameters())


MEK = [("mek", 2, 0.1), ("mek-swin", 0.1, 0.3), ("mek-rac", 2, 0), ("mek-rsl", 0, 0.1)]


@pytest.mark.parametrize(("name", "lam", "epsilon"), MEK)
def test_mek_is_soft_label_cross_entropy_and_weighted_map_consistency(name, lam, epsilon):
    maps = random_maps()
    method = build(name, maps, counts=RAF)
    rarity = [sum(RAF) / (10 * n) for n in RAF]
    apart = literal_apart(maps[FACES], maps[MIRRORED], method.net.head.weight)
    expected = 0
    for n, f in enumerate(pooled(maps[FACES])):
        label, z = int(LABELS[n]), linear(method.net.head, f)
        others = sum(rarity[k] for k in range(C) if k != label)
        target = [1 - epsilon if k == label else epsilon * rarity[k] / others for k in range(C)]
        soft = sum(target[k] * literal_ce(z, k) for k in range(C))
        expected = expected + (soft + lam * sum(rarity[k] * apart[n][k] for k in range(C))) / B
    assert_same(method.loss(batch(), clock_at(3)), expected, maps, *method.parameters())


def test_mek_weights_of_raf_db_are_the_published_ones():
    method = build("mek", random_maps(), counts=RAF)
    assert method.rarity.tolist() == pytest.approx(RAF_RARITY, abs=6e-4)
    assert method.targets.sum(1).tolist() == pytest.approx([1] * C, rel=1e-12)
    for c, row in enumerate(method.targets.tolist()):
        assert row[c] == pytest.approx(0.9)
        ratios = [row[k] / method.rarity[k].item() for k in range(C) if k != c]
        assert max(ratios) == pytest.approx(min(ratios), rel=1e-12)


def literal_map_head(head, maps, kept):
    vectors = normed(maps, head.maps).flatten(1) * kept
    return normed(torch.stack([linear(head.linear, v) for v in vectors]), head.norm)


@pytest.mark.parametrize("dropout", ["0", "0.4"])
def test_rul_mixes_features_by_uncertainty_and_labels_evenly(dropout):
    maps, partner = random_maps(), torch.tensor([1, 0, 2, 5, 7, 3, 4, 6])
    method = build("rul", maps, dim="6", dropout=dropout)
    draws = {"partner": partner, "mu": torch.arange(B) * 7919, "log_variance": torch.arange(B) * 104729 + 5}
    kept = {k: seeded_dropout(torch.ones(B, D * H * W), draws[k], float(dropout)) for k in ("mu", "log_variance")}
    mu = literal_map_head(method.mu, maps[FACES], kept["mu"])
    spread = literal_map_head(method.log_variance, maps[FACES], kept["log_variance"])
    s = [sum(spread[n, d].exp() for d in range(6)) / 6 for n in range(B)]
    expected = 0
    for n, other in enumerate(partner.tolist()):
        mixed = (s[n] * mu[n] + s[other] * mu[other]) / (s[n] + s[other])
        z = linear(method.net.head, mixed)
        expected = expected + (0.5 * literal_ce(z, LABELS[n]) + 0.5 * literal_ce(z, LABELS[other])) / B
    assert_same(method.loss(batch(draws), clock_at(3)), expected, maps, *method.parameters())


def rul_mixture(uncertainties):
    """The vector that RUL classifies, of two faces with mu (1, 0) and (0, 1) and these uncertainties."""
    method, seen = build("rul", random_maps(), dim="2"), []
    method.mu.forward = lambda maps, seeds: torch.eye(2)
    method.log_variance.forward = lambda maps, seeds: torch.tensor(uncertainties).log()[:, None].expand(-1, 2)
    method.net.head.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    draws = {"partner": torch.tensor([1, 0]), "mu": torch.zeros(2), "log_variance": torch.zeros(2)}
    method.loss(batch(draws, 2), clock_at(0))
    return seen[0]


def test_rul_gives_the_more_uncertain_face_the_larger_share():
    assert rul_mixture([3.0, 1.0]).flatten().tolist() == pytest.approx([0.75, 0.25, 0.75, 0.25])
    assert rul_mixture([2.0, 2.0]).flatten().tolist() == pytest.approx([0.5] * 4)


def test_rul_with_a_batch_of_one_is_cross_entropy_of_its_own_features():
    maps = random_maps(4, 1, D, H, W)
    method = build("rul", maps)
    draws = method.draw(torch.Generator().manual_seed(0), 1)
    mu = method.mu(maps[FACES], draws["mu"])
    expected = literal_ce(linear(method.net.head, mu[0]), LABELS[0])
    torch.testing.assert_close(method.loss(batch(draws, 1), clock_at(0)), expected)


def literal_attention(method, maps):
    """A [B, D] of the context network, layer by layer."""
    first, norm1, _, second, norm2, _, third, norm3, _, last = method.context
    x = normed(torch.stack([linear(first, v) for v in maps.flatten(1)]), norm1).clamp(min=0)
    x = normed(torch.stack([linear(second, v) for v in x]), norm2).clamp(min=0)
    x = normed(torch.stack([linear(third, v) for v in x]), norm3).tanh()
    z = torch.stack([linear(last, v) for v in x])
    return 1 / (1 + (z[:, 0::2] - z[:, 1::2]).exp())


@pytest.mark.parametrize("name", ["dacl", "center-loss"])
def test_centre_losses_are_cross_entropy_and_weighted_distances_to_centres(name):
    maps = random_maps()
    method = build(name, maps, lam="0.3")
    method.centres.copy_(torch.randn(C, D))
    before, f = method.centres.clone(), pooled(maps[FACES])
    attention = literal_attention(method, maps[FACES]) if name == "dacl" else torch.ones(B, D)
    distances = [sum(attention[n, d] * (f[n, d] - before[LABELS[n], d]) ** 2 for d in range(D)) for n in range(B)]
    expected = mean_ce(method.net, maps[FACES]) + 0.3 / 2 * sum(distances) / B
    assert_same(method.loss(batch(), clock_at(3)), expected, maps, *method.parameters())
    for c in range(C):
        faces = [n for n in range(B) if LABELS[n] == c]
        step = sum((attention[n] * (f[n] - before[c]) for n in faces), torch.zeros(D)) / (1 + len(faces))
        torch.testing.assert_close(method.centres[c], (before[c] + 0.5 * step).detach())
