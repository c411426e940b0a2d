"""LA-Net's label distributions against their formula, pair by pair, in float64, on half-trained skewed, noisy faces."""

from __future__ import annotations

import math

import pytest
import torch
from likereal import CLASSES as C
from likereal import half_trained
from test_parity import EPOCHS, FOUND, clock_at, float64  # noqa: F401
from test_parity_noise import assert_same, ce, softmax
from torch import Tensor, nn

from fer_bench.method import Batch, Context
from fer_bench.registry import load_class, resolve_parameters

N, D = 24, 8
FACES = half_trained(N, 5, D)


class Stored(nn.Module):
    """Stored features of the faces whose rows are the pixels, and a head that knows the classes in part."""

    dim = D

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.features, self.head = nn.Parameter(FACES.features.clone()), nn.Linear(D, C)

    def embed(self, images: Tensor) -> Tensor:
        return self.features[images.flatten().long()]


def build(epochs: int = EPOCHS, **values: str):
    labels = FACES.given
    context = Context(C, labels.clone(), labels.bincount(minlength=C), epochs, 3, Stored)
    return load_class(FOUND["la-net"])(context, **resolve_parameters(FOUND["la-net"], values))


def batch(rows: list[int]) -> Batch:
    index = torch.tensor(rows)
    return Batch(index[:, None, None, None].double(), FACES.given[index], index, {}, lambda: index)


def layer(linear: nn.Linear, x: Tensor) -> Tensor:
    return linear.weight @ x + linear.bias


def literal_score(score, one: Tensor, other: Tensor) -> Tensor:
    """layers.py:97-114, of one pair: the first half of a map of one face beside the second half of the other's."""
    a, b = layer(score.halves, one), layer(score.halves, other)
    h = layer(score.pair, torch.cat([a[:D // 2], b[D // 2:]])).clamp(min=0)
    return softmax(layer(score.rest[3], layer(score.rest[1], h).clamp(min=0)))[0]


def cosine(one: Tensor, other: Tensor) -> float:
    return float(one @ other) / math.sqrt(float(one @ one) * float(other @ other))


def literal(method, rows: list[int], bank: list[list[float]], k: int, m: float, lam: float):
    """The loss of a batch, and its targets; layers.py:128-162 with the features of expressions alone."""
    features = [method.net.features[i] for i in rows]
    logits = [layer(method.net.head, f) for f in features]
    chances = [softmax(z) for z in logits]
    total, targets = torch.zeros(()), []
    for i, row in enumerate(rows):
        others = [j for j in range(len(rows)) if j != i]
        nearest = sorted(others, key=lambda j: -cosine(features[i].detach(), features[j].detach()))[:k]
        scores = [literal_score(method.score, features[i], features[j]) if j in nearest else 0
                  for j in range(len(rows))]
        weights = [(s + 1e-8 / len(rows)) / (sum(scores) + 1e-8) for s in scores]
        found = [sum(weights[j] * chances[j][c] for j in range(len(rows))) for c in range(C)]
        t = [m * bank[row][c] + (1 - m) * found[c] for c in range(C)]
        apart = sum(x * (torch.log(x) - torch.log(chances[i][c])) for c, x in enumerate(t))
        total = total + (ce(logits[i], int(FACES.given[row])) + lam * apart) / len(rows)
        targets.append([float(x.detach()) for x in t])
    return total, targets


ONEHOT = [[float(c == y) for c in range(C)] for y in FACES.given]


@pytest.mark.parametrize(("values", "k", "m", "lam"), [
    ({"memory": "0.16666666666666666"}, 8, 0.9, 1), ({"neighbours": "3", "lam": "2"}, 3, 1 - 1 / 7.5, 2)], ids=str)
@pytest.mark.parametrize("rows", [list(range(12)), [23, 3, 11, 0, 7], [4, 9], [5]], ids=len)
def test_loss_gradient_and_targets_are_those_of_the_formula(rows, values, k, m, lam):
    """Twice, so that the second time begins with the targets of the first; batches of fewer than K faces, too."""
    method, bank = build(**values), [list(row) for row in ONEHOT]
    for _ in range(2):
        given = batch(rows)
        loss = method.loss(given, clock_at(1))
        expected, targets = literal(method, rows, bank, k, m, lam)
        assert_same(loss, expected, list(method.parameters()))
        for row, target in zip(rows, targets, strict=True):
            bank[row] = target
        torch.testing.assert_close(method.targets, torch.tensor(bank), rtol=1e-12, atol=1e-15)
        logged = [bank[row][int(FACES.given[row])] for row in rows]
        assert given.logged["weight"].tolist() == pytest.approx(logged)


def test_targets_begin_with_the_labels_and_stay_distributions():
    method = build(memory="0.05")
    assert method.targets.tolist() == ONEHOT
    for _ in range(5):
        method.loss(batch(list(range(N))), clock_at(1))
    assert method.targets.sum(1).tolist() == pytest.approx([1] * N, abs=1e-6) and bool((method.targets > 0).all())


@pytest.mark.parametrize(("epochs", "m"), [(80, 0.9), (60, 1 - 1 / 7.5), (12, 1 / 3), (4, 0)])
def test_targets_forget_the_labels_as_fast_as_in_the_80_epochs_of_the_source(epochs, m):
    assert build(epochs).m == pytest.approx(m)


def test_scores_learn_through_the_targets():
    method = build()
    method.loss(batch(list(range(N))), clock_at(1)).backward()
    assert all(bool(p.grad.abs().max() > 0) for p in method.score.parameters())


def test_neighbours_of_a_wrong_label_doubt_it():
    """The features tell the classes in part: targets of wrong labels lose more of them than those of right ones."""
    method = build(memory="0.03")
    with torch.no_grad():
        method.net.head.weight.copy_(torch.stack([FACES.features[FACES.true == c].mean(0) if (FACES.true == c).any()
                                                  else torch.zeros(D) for c in range(C)]))
        method.net.head.bias.copy_(-method.net.head.weight.square().sum(1) / 2)
        for _ in range(6):
            method.loss(batch(list(range(N))), clock_at(1))
    kept = method.targets.gather(1, FACES.given[:, None]).squeeze(1)
    wrong = FACES.true != FACES.given
    assert 3 <= int(wrong.sum()) <= N - 3 and kept[wrong].mean() < kept[~wrong].mean() - 0.1
