"""Losses and gradients of methods with branches or several networks against their formulas, written out in loops."""

from __future__ import annotations

import math

import pytest
import torch
from test_parity import float64  # noqa: F401
from test_parity_fer import (
    FACES,
    IMAGES,
    LABELS,
    B,
    C,
    Given,
    assert_same,
    batch,
    build,
    clock_at,
    linear,
    literal_ce,
    mean_ce,
    pooled,
    random_maps,
)
from torch import nn

D = 6


class Staged(Given):
    """A network whose last stage, a 1x1 convolution, makes maps [B, D, h, w] of stored ones."""

    def __init__(self, maps):
        super().__init__(maps)
        self.dim, self.head, self.stage = D, nn.Linear(D, C), nn.Sequential(nn.Conv2d(maps.shape[2], D, 1))

    def stages(self, first):
        return self.stage

    def branch(self, stages, given):
        return stages(given)

    def features(self, images):
        return self.stage(super().features(images))

    def features_and_input(self, images, stage):
        given = super().features(images)
        return self.stage(given), given


def branch_features(stage, given):
    """Pooled output [B, D] of a 1x1 convolution: it and the average may change places."""
    weight, bias = stage[0].weight[:, :, 0, 0], stage[0].bias
    return torch.stack([torch.stack([weight[d] @ x + bias[d] for d in range(D)]) for x in pooled(given)])


def softmax(z, power=1.0):
    return (power * z).exp() / (power * z).exp().sum()


def literal_kl(z, other):
    p, q = softmax(z), softmax(other)
    return sum(p[k] * torch.log(p[k] / q[k]) for k in range(C))


def literal_mimicry(epoch):
    return 0.9 * math.exp(-0.65 * (1 - epoch / (0.9 * 60)) ** 2)


def rise(e, turn, steepness=5):
    return math.exp(-steepness * (1 - e / turn) ** 2) if e <= turn else 1


def fall(e, turn):
    return 1 if e < turn else math.exp(-((1 - turn / e) ** 2))


def unequal(method):
    """The method with other weights in each branch: they begin as copies, whose differences and gradients are zero."""
    with torch.no_grad():
        for p in method.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return method


def both_logits(method, which):
    return [[linear(net.head, f) for f in pooled(net.maps[which])] for net in (method.net, method.peer)]


@pytest.mark.parametrize("epoch", [0, 6, 30, 59])
def test_man_gives_clean_ambiguous_and_noisy_faces_their_losses(epoch):
    maps = random_maps(), random_maps()
    method = build("man", *maps)
    method.right.copy_(torch.tensor([2, 1, 0, 0, 1, 2, 2, 1]))
    m, weak, strong = literal_mimicry(epoch + 1), both_logits(method, FACES), both_logits(method, 2)
    groups = {2: [], 1: [], 0: []}
    for i in range(B):
        a, b, y = weak[0][i], weak[1][i], LABELS[i]
        mutual = (1 - m) * (literal_ce(a, y) + literal_ce(b, y)) / 2 + m * (literal_kl(a, b) + literal_kl(b, a)) / 2
        steady = sum(((softmax(weak[k][i]) - softmax(strong[k][i])) ** 2).sum() / C for k in range(2)) / 2
        clean = (literal_ce(a, y) + literal_ce(b, y)) / 2
        groups[int(method.right[i])].append({2: clean, 1: mutual, 0: steady}[int(method.right[i])])
    clean, mutual, steady = (sum(group) / len(group) for group in groups.values())
    assert_same(method.loss(batch(), clock_at(epoch)), clean + 0.6 * mutual + steady, *maps, *method.parameters())


def sweep(visit):
    with torch.no_grad():
        visit(IMAGES, torch.arange(B))


def test_man_counts_after_the_warm_up_which_networks_are_right():
    method = build("man", random_maps(), random_maps())
    method.given[:3] = method.net(IMAGES)[:3].argmax(1)
    found = [[int(z.argmax()) == int(y) for z, y in zip(net, method.given, strict=True)]
             for net in both_logits(method, FACES)]
    for epoch, expected in ((5, [2] * B), (6, [a + b for a, b in zip(*found, strict=True)])):
        method.begin_epoch(clock_at(epoch), sweep)
        assert method.right.tolist() == expected


@pytest.mark.parametrize("epoch", [0, 1, 29])
def test_resup_weighs_each_network_s_faces_by_the_other(epoch):
    maps = random_maps(), random_maps()
    method, expected = build("resup", *maps), 0
    if epoch:
        method.weight.copy_(torch.rand(B, 2))
    one, other = both_logits(method, FACES)
    for i in range(B):
        losses = method.weight[i, 1] * literal_ce(one[i], LABELS[i]) + method.weight[i, 0] * literal_ce(
            other[i], LABELS[i])
        apart = ((softmax(one[i]) - softmax(other[i])) ** 2).sum() / C
        expected = expected + (losses + (5 if epoch else 0) * apart) / B
    assert_same(method.loss(batch(), clock_at(epoch)), expected, *maps, *method.parameters())


def test_resup_weight_of_a_network_is_high_where_that_network_agrees():
    method = build("resup", random_maps(), random_maps())
    agree = torch.tensor([[1, 1, 1, 1, 0, 0, 0, 0], [1, 0, 1, 0, 1, 0, 1, 0]]).bool()
    for net, yes in zip((method.net, method.peer), agree, strict=True):
        p = torch.where(yes, 0.8, 0.05) + torch.linspace(0, 0.1, B)
        z = ((1 - p) / (C - 1)).log()[:, None].repeat(1, C)
        z[range(B), LABELS] = p.log()
        net.forward = lambda images, z=z: z
    method.begin_epoch(clock_at(0), sweep)
    assert method.weight.eq(1).all()
    method.begin_epoch(clock_at(1), sweep)
    assert method.weight.T[agree].min() > 0.9 and method.weight.T[~agree].max() < 0.1


@pytest.mark.parametrize("epoch", [0, 30, 54, 59])
def test_cct_is_cross_entropy_and_six_divergences_in_the_share_of_the_epoch(epoch):
    maps = random_maps(), random_maps(), random_maps()
    method, m = build("cct", *maps), literal_mimicry(epoch)
    nets = method.net, method.second, method.third
    z = [[linear(net.head, f) for f in pooled(net.maps[FACES])] for net in nets]
    apart = sum(literal_kl(z[i][n], z[j][n]) for i in range(3) for j in range(3) if i != j for n in range(B)) / 3 / B
    expected = (1 - m) * sum(mean_ce(net, net.maps[FACES]) for net in nets) / 3 + m * apart
    assert_same(method.loss(batch(), clock_at(epoch)), expected, *maps, *method.parameters())


def test_cct_networks_that_are_one_do_not_disagree():
    maps = random_maps()
    method = build("cct", maps, maps, maps)
    for net in (method.second, method.third):
        net.load_state_dict(method.net.state_dict())
    expected = (1 - literal_mimicry(20)) * mean_ce(method.net, maps[FACES])
    torch.testing.assert_close(method.loss(batch(), clock_at(20)), expected, rtol=1e-12, atol=0)
