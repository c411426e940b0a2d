"""Ada-DF, SOFT and DAN against their formulas in loops; the parts that methods share against what they promise."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from test_parity import float64  # noqa: F401
from test_parity_branches import Staged, branch_features, fall, rise, softmax, sweep, unequal
from test_parity_fer import (
    FACES,
    LABELS,
    B,
    C,
    assert_same,
    batch,
    build,
    clock_at,
    linear,
    literal_ce,
    normed,
    pooled,
    random_maps,
)
from torch import nn

from fer_bench.parts.batch_norm import BatchNorm
from fer_bench.parts.dropout import draw_seeds, seeded_dropout


def literal_ranked(alpha, margin):
    ordered = sorted(alpha, key=lambda a: -a.item())
    top = int(len(ordered) * 0.7)
    return (margin - (sum(ordered[:top]) / top - sum(ordered[top:]) / (len(ordered) - top))).clamp(min=0)


def literal_ada_df(method, given, epoch, margin):
    aux, main = (branch_features(stage, given) for stage in (method.net.stage, method.main))
    aux_alpha = [torch.sigmoid(linear(method.aux_alpha, f))[0] for f in aux]
    main_alpha = [torch.sigmoid(linear(method.main_alpha, f))[0] for f in main]
    alpha = [(one + other) / 2 for one, other in zip(aux_alpha, main_alpha, strict=True)]
    low, high = min(alpha), max(alpha)
    right = apart = 0
    for i in range(B):
        a = 0.2 + (alpha[i] - low) / (high - low) * (1 - 0.2)
        z, other = aux_alpha[i] * linear(method.net.head, aux[i]), main_alpha[i] * linear(method.main_head, main[i])
        target = (1 - a) * softmax(z) + a * method.distributions[LABELS[i]]
        apart = apart + sum(target[k] * torch.log(target[k] / softmax(other)[k]) for k in range(C)) / B
        right = right + literal_ce(z, LABELS[i]) / B
    turn = 0.04 * 60  # epochs counted from 1
    return fall(epoch + 1, turn) * right + rise(epoch + 1, turn, 1) * apart + literal_ranked(alpha, margin)


@pytest.mark.parametrize(("epoch", "margin"), [(0, 0.07), (1, 0.9), (2, 0.9), (59, 0.07)])
def test_ada_df_teaches_the_main_branch_the_mixture_of_prediction_and_class(epoch, margin):
    given = random_maps()
    method = unequal(build("ada-df", given, net=Staged, margin=str(margin)))
    method.distributions.copy_(torch.rand(C, C).softmax(1))
    expected = literal_ada_df(method, given[FACES], epoch, margin)
    assert_same(method.loss(batch(), clock_at(epoch)), expected, given, *method.parameters())


def test_ada_df_class_distributions_are_mean_predictions_where_those_are_sure():
    method = build("ada-df", random_maps(), net=Staged)
    p = [0.9, 0.9, 0.95, 0.8, 0.3, 0.6, 0.6, 0.2]  # of the label; class 3: faces 0 and 2, class 0: faces 1 and 6
    z = torch.tensor([[math.log(p[i] if k == LABELS[i] else (1 - p[i]) / 6) for k in range(C)] for i in range(B)])
    method.branches = lambda images: (z, None, None)
    method.begin_epoch(clock_at(0), sweep)
    assert method.distributions.equal(method.fallback)
    method.begin_epoch(clock_at(1), sweep)
    own = {3: 0.925, 0: 0.75, 6: 0.8}  # classes 1, 5 and 2 are not sure enough, class 4 has no face
    for c, row in enumerate(method.distributions.tolist()):
        sure = own.get(c, 0.7)
        assert row == pytest.approx([sure if k == c else (1 - sure) / 6 for k in range(C)])


def softened(p, epsilon=0.3):
    likely = [v for v in p if v > 1 / C]
    return [(1 - epsilon) * v / sum(likely) if v > 1 / C else epsilon / (C - len(likely)) for v in p]


@pytest.mark.parametrize("epoch", [0, 2, 3, 4, 59])
def test_soft_teaches_weighted_labels_and_the_softened_teacher(epoch):
    maps = random_maps()
    method, expected = build("soft", maps), 0
    nn.init.normal_(method.teacher.head.weight)
    ramp = math.exp(-5 * (1 - min(epoch / 3.75, 1)) ** 2)
    for i, f in enumerate(pooled(maps[FACES])):
        z, alpha = linear(method.net.head, f), torch.sigmoid(linear(method.alpha, f))
        p = linear(method.teacher.head, f.detach()).exp()
        q = softened((p / p.sum()).tolist())
        apart = sum(q[k] * (math.log(q[k]) + literal_ce(z, k)) for k in range(C))
        expected = expected + (literal_ce(alpha * z, LABELS[i]) + 10 * ramp * apart) / B
    student = [p for p in method.parameters() if p.requires_grad]
    method.teacher.maps = maps.detach()
    assert_same(method.loss(batch(), clock_at(epoch)), expected, maps, *student)
    assert len(student) == 4 and not any(p.requires_grad for p in method.teacher.parameters())


def test_soft_softens_what_is_likely_in_proportion_and_the_rest_evenly():
    p = torch.tensor([[0.4, 0.3, 0.2, 0.04, 0.03, 0.02, 0.01], [0.94, *[0.01] * 6], [1 / C] * C])
    q = build("soft", random_maps()).soften(p)
    assert q.sum(1).tolist() == pytest.approx([1, 1, 1])
    assert q[0].tolist() == pytest.approx([0.7 * 4 / 9, 0.7 * 3 / 9, 0.7 * 2 / 9, *[0.075] * 4])
    assert q[1].tolist() == pytest.approx([0.7, *[0.05] * 6]) and q[2].tolist() == pytest.approx([1 / C] * C)


def test_soft_teacher_is_the_moving_average_of_the_network():
    method = build("soft", random_maps().detach())
    for p in method.net.parameters():
        nn.init.normal_(p)
    for step, decay in ((0, 1 / 2), (3, 4 / 5), (5000, 1 - 1 / (0.065 * 60 * 3))):  # at first the mean
        before, clock = copy.deepcopy(method.teacher.state_dict()), clock_at(0)
        clock.step.fill_(step)
        method.after_step(clock)
        for name, now in method.teacher.state_dict().items():
            own = method.net.state_dict()[name].detach()
            assert torch.allclose(now, decay * before[name] + (1 - decay) * own, rtol=1e-12)


def literal_convolution(pair, x):
    """Convolution, place by place and tap by tap, then batch normalisation; zeros beyond the borders."""
    weight, (height, width) = pair[0].weight, x.shape[2:]
    rows, columns = weight.shape[2] // 2, weight.shape[3] // 2
    out = [[pair[0].bias + sum(
        x[:, :, i + di - rows, j + dj - columns] @ weight[:, :, di, dj].T
        for di in range(weight.shape[2]) for dj in range(weight.shape[3])
        if 0 <= i + di - rows < height and 0 <= j + dj - columns < width) for j in range(width)] for i in range(height)]
    return normed(torch.stack([torch.stack(row, 2) for row in out], 2), pair[1])


def literal_head(head, maps):
    squeezed = literal_convolution(head.squeeze, maps)
    attention = sum(literal_convolution(shape, squeezed) for shape in head.shapes).clamp(min=0)
    v = pooled(torch.stack([maps[:, d] * sum(attention[:, k] for k in range(8)) for d in range(8)], 1))
    first, norm, _, last = head.channels
    hidden = normed(torch.stack([linear(first, x) for x in v]), norm).clamp(min=0)
    return v / (1 + torch.exp(-torch.stack([linear(last, x) for x in hidden])))


def literal_dan(method, maps, affinity, partition):
    heads, f = [literal_head(head, maps) for head in method.heads], pooled(maps)
    count, dim = len(heads), maps.shape[1]
    if count > 1:
        total = sum(h.exp() for h in heads)
        heads = [torch.log(h.exp() / total) for h in heads]
    z = normed(torch.stack([linear(method.net.head, x) for x in sum(heads)]), method.norm)
    loss = sum(literal_ce(z[i], LABELS[i]) for i in range(B)) / B
    mean = sum(method.centres) / C
    spread = sum(((centre - mean) ** 2).sum() for centre in method.centres) / (C - 1)
    loss = loss + affinity * sum(((f[i] - method.centres[LABELS[i]]) ** 2).sum() for i in range(B)) / B / spread
    if count > 1:
        middle = sum(heads) / count
        variance = sum((h - middle) ** 2 for h in heads).sum() / (count - 1) / (B * dim)
        loss = loss + partition * torch.log(1 + count / (variance + 1e-8))
    return loss


@pytest.mark.parametrize(("heads", "affinity", "partition"), [(4, 1, 1), (2, 0.3, 0.7), (1, 1, 1)])
def test_dan_is_cross_entropy_affinity_and_partition(heads, affinity, partition):
    maps = random_maps(4, B, 8, 2, 2)
    method = build("dan", maps, heads=str(heads), affinity=str(affinity), partition=str(partition))
    assert [shape[0].kernel_size for shape in method.heads[0].shapes] == [(3, 3), (1, 3), (3, 1)]
    expected = literal_dan(method, maps[FACES], affinity, partition)
    assert_same(method.loss(batch(), clock_at(3)), expected, maps, *method.parameters())


@pytest.mark.parametrize("p", [0.1, 0.4, 0.5])
def test_seeded_dropout_drops_a_share_and_keeps_the_mean(p):
    y = seeded_dropout(torch.ones(1000, 20, 25), draw_seeds(torch.Generator().manual_seed(0), 1000), p)
    assert y.unique().tolist() == pytest.approx([0, 1 / (1 - p)])
    sigma = math.sqrt(p * (1 - p))
    assert float((y == 0).double().mean()) == pytest.approx(p, abs=4 * sigma / math.sqrt(y.numel()))
    assert float(y.mean()) == pytest.approx(1, abs=4 * sigma / (1 - p) / math.sqrt(y.numel()))
    assert ((y == 0).double().mean(0) - p).abs().max() < 5 * sigma / math.sqrt(1000)  # of each place


def test_seeded_dropout_is_a_function_of_each_face_s_seed_alone():
    x, seeds = torch.randn(6, 4, 25), draw_seeds(torch.Generator().manual_seed(0), 6)
    torch.manual_seed(1)
    y = seeded_dropout(x, seeds, 0.4)
    torch.manual_seed(2)
    assert seeded_dropout(x[[4, 1]], seeds[[4, 1]], 0.4).equal(y[[4, 1]])
    masks = (y == 0).flatten(1)
    assert all(not masks[i].equal(masks[j]) for i in range(6) for j in range(i))
    torch.testing.assert_close(y[y != 0], x[y != 0] / 0.6)


@pytest.mark.parametrize("apart", [1, 2, 2**20, 2**40])
def test_seeded_dropout_of_neighbouring_entries_and_seeds_is_uncorrelated(apart):
    dropped = (seeded_dropout(torch.ones(1000, 1000), torch.arange(1000) * apart + 10**15, 0.4) == 0).double() - 0.4
    for one, other in ((dropped[1:], dropped[:-1]), (dropped[:, 1:], dropped[:, :-1]), (dropped[1:, 1:],
                                                                                      dropped[:-1, :-1])):
        assert abs(float((one * other).mean())) < 5 * 0.24 / 1000


def test_batch_norm_is_torch_s_but_for_a_single_face():
    ours, theirs = BatchNorm(3, eps=2e-5), nn.BatchNorm1d(3, eps=2e-5)
    for training in (True, True, False):
        x = 3 + 2 * torch.randn(5, 3)
        torch.testing.assert_close(ours.train(training)(x), theirs.train(training)(x), rtol=0, atol=0)
    before, x = {k: v.clone() for k, v in ours.state_dict().items()}, torch.randn(1, 3)
    torch.testing.assert_close(ours.train()(x), theirs(x), rtol=0, atol=0)  # theirs is in evaluation mode
    assert all(before[k].equal(v) for k, v in ours.state_dict().items())
