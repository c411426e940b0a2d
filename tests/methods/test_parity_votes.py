"""FER+'s four losses and their gradients against their formulas face by face, in float64; what is drawn, and when the
given label counts."""

from __future__ import annotations

import pytest
import torch
from test_parity import LABELS, LOGITS, B, C, build, clock_at, float64  # noqa: F401
from torch import Tensor, log

from fer_bench.method import Batch

NAMES = ("votes-ce", "votes-majority", "votes-multi-label", "votes-draw")
IMAGES = torch.ones(B, 1, 2, 2)


def some_votes() -> Tensor:
    """Ten for each face: clear, split, tied, single ones only, and none at all."""
    generator = torch.Generator().manual_seed(4)
    chances = torch.softmax(2 * torch.randn(B, C, generator=generator, dtype=torch.float64), 1)
    votes = torch.nn.functional.one_hot(torch.multinomial(chances, 10, True, generator=generator), C).sum(1).float()
    votes[0] = torch.tensor([0, 0, 0, 0, 0, 0, 0])
    votes[1] = torch.tensor([1, 1, 1, 1, 1, 1, 1])
    votes[2] = torch.tensor([3, 3, 3, 1, 0, 0, 0])
    votes[3] = torch.tensor([0, 5, 5, 0, 0, 0, 0])
    votes[4] = torch.tensor([2, 2, 2, 2, 2, 0, 0])
    return votes


VOTES = some_votes()
GIVEN = LABELS.clone()
GIVEN[2], GIVEN[3], GIVEN[4] = 1, 0, 3  # among the tied, none of the tied, among five that reach no theta


def batch(votes: Tensor = VOTES, **draws: Tensor) -> Batch:
    return Batch(IMAGES, GIVEN, torch.arange(B), draws, lambda: IMAGES, votes=votes)


def left(cast: list[float], least: int) -> list[float]:
    return [n if n >= least else 0.0 for n in cast]


def literal(name: str, z: Tensor, votes: Tensor, values: dict[str, str], wait: Tensor) -> Tensor:
    """The loss of a method, face by face."""
    total, theta = torch.zeros(()), float(values.get("theta", 0.3))
    for i in range(B):
        q = z[i].softmax(0)
        v, y = left(votes[i].tolist(), int(values.get("least", 2))), int(GIVEN[i])
        if sum(v) == 0:
            v[y] = 1.0
        if name == "votes-ce":
            total = total - sum(n / sum(v) * log(q[c]) for c, n in enumerate(v))
        elif name == "votes-majority":
            tied = [c for c in range(C) if v[c] == max(v)]
            total = total - log(q[y if y in tied else tied[0]])
        elif name == "votes-draw":
            times = {c: wait[i, c].item() / n for c, n in enumerate(v) if n}
            total = total - log(q[min(times, key=times.get)])
        else:
            among = {c for c in range(C) if v[c] / sum(v) >= theta} or {y}
            epsilon = float(values.get("floor", 0.001))
            t = [(1 - epsilon) * (c in among) + epsilon for c in range(C)]  # src/ferplus.py:201
            total = total - log(max((t[c] * q[c] for c in range(C)), key=lambda value: value.item()))
    return total / B


@pytest.mark.parametrize("values", [{}, {"least": "1"}, {"least": "4"}, {"theta": "0.5", "floor": "0.2"}], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_loss_and_gradient_are_those_of_the_formula(name, values):
    z = LOGITS.clone().requires_grad_()
    method = build(name, z, **values)
    draws = method.draw(torch.Generator().manual_seed(1), B)
    expected = literal(name, z, VOTES, values, draws.get("wait"))
    loss = method.loss(batch(**draws), clock_at(0))
    torch.testing.assert_close(loss, expected, rtol=1e-10, atol=1e-12)
    found, wanted = (torch.autograd.grad(value, z)[0] for value in (loss, expected))
    torch.testing.assert_close(found, wanted, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_without_votes_the_given_labels_are_trained_on(name):
    draws = build(name).draw(torch.Generator().manual_seed(1), B)
    for votes in (torch.zeros(B, C), torch.ones(B, C)):
        loss = build(name, floor="1e-30").loss(batch(votes, **draws), clock_at(0))
        assert float(loss) == pytest.approx(float(torch.nn.functional.cross_entropy(LOGITS, GIVEN)))


@pytest.mark.parametrize("name", NAMES)
def test_unanimous_votes_are_the_labels(name):
    draws = build(name).draw(torch.Generator().manual_seed(1), B)
    labels = (GIVEN + 1) % C
    loss = build(name, floor="1e-30").loss(batch(10 * torch.eye(C)[labels], **draws), clock_at(0))
    assert float(loss) == pytest.approx(float(torch.nn.functional.cross_entropy(LOGITS, labels)))


def test_classes_are_drawn_by_their_votes_and_anew_each_step():
    method, votes = build("votes-draw"), torch.tensor([[5.0, 3, 2, 0, 0, 0, 0]]).expand(20000, C)
    generator = torch.Generator().manual_seed(2)
    drawn = [method.weights(votes, votes, Batch(IMAGES, GIVEN, GIVEN, method.draw(generator, 20000), lambda: IMAGES))
             for _ in range(2)]
    for weights in drawn:
        assert (weights.sum(1) == 1).all() and set(weights.unique().tolist()) == {0.0, 1.0}
        assert weights.mean(0).tolist() == pytest.approx([0.5, 0.3, 0.2, 0, 0, 0, 0], abs=0.012)
    assert 0.3 < (drawn[0] == drawn[1]).all(1).float().mean() < 0.46, "two draws agree by chance: .25 + .09 + .04"


def test_any_of_the_labels_that_many_voted_for_is_as_good():
    votes = torch.tensor([[4.0, 3, 3, 0, 0, 0, 0]]).expand(B, C)
    losses = []
    for sure in (0, 1, 2, 3):
        logits = 8 * torch.eye(C)[[sure]].expand(B, C)
        losses.append(float(build("votes-multi-label", logits).loss(batch(votes), clock_at(0))))
    assert losses[0] == pytest.approx(losses[1]) == pytest.approx(losses[2]) and losses[3] > 6 > 0.1 > losses[0]
