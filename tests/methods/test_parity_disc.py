"""DISC against its formula in loops, in float64, on half-trained predictions of skewed, noisy data."""

from __future__ import annotations

import math

import pytest
import torch
from likereal import CLASSES as C
from likereal import half_trained
from test_parity import EPOCHS, FOUND, clock_at, float64  # noqa: F401
from test_parity_noise import Given, Pixels, assert_same, ce, softmax
from torch import Tensor

from fer_bench.method import Batch, Context
from fer_bench.registry import load_class, resolve_parameters

B, N = 16, 40
FACES = half_trained(N, 3)
IMAGES, SECOND = torch.randn(2, N, 1, 2, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def build(net, epochs: int = EPOCHS, **values: str):
    labels = FACES.given
    context = Context(C, labels.clone(), labels.bincount(minlength=C), epochs, 3, lambda: net)
    return load_class(FOUND["disc"])(context, **resolve_parameters(FOUND["disc"], values))


def batch(rows: list[int], **draws: Tensor) -> Batch:
    index = torch.tensor(rows)
    return Batch(IMAGES[index], FACES.given[index], index, draws, lambda: SECOND[index],
                 lambda name: SECOND[index])


def literal_sort(found: Tensor, past: list[list[float]], sigma: float, decay: float):
    """Kinds, labels and the new h of every face; DISC.py:329-360. found: [N, 2, C]."""
    kinds, labels, after = [], [], []
    for i, y in enumerate(FACES.given.tolist()):
        believed = [float(found[i, v, y]) > past[i][v] for v in range(2)]
        both = [(float(found[i, 0, c]) + float(found[i, 1, c])) / 2 for c in range(C)]
        best = max(range(C), key=lambda c: both[c])
        corrected = not any(believed) and both[best] > min((past[i][0] + past[i][1]) / 2 + sigma, 0.99)
        kinds.append(3 if all(believed) else 2 if any(believed) else 1 if corrected else 0)
        labels.append(best if corrected else y)
        after.append([decay * past[i][v] + (1 - decay) * max(found[i, v].tolist()) for v in range(2)])
    return kinds, labels, after


@pytest.mark.parametrize(("values", "sigma"), [({}, 0.5), ({"sigma": "0.1", "memory": "0.03"}, 0.1)], ids=str)
def test_disc_sorts_faces_by_their_own_past(values, sigma):
    """Over four epochs of a network that grows sure of itself, the views a little apart."""
    method, generator = build(Given(FACES.logits), **values), torch.Generator().manual_seed(4)
    decay = 1 - 1 / (EPOCHS * float(values.get("memory", 1 / 3)))
    past, seen = [[1 / N] * 2 for _ in range(N)], set()
    for epoch, sure in enumerate((0.2, 0.6, 1.5, 3.0), start=1):
        noise = 0.4 * torch.randn(2, N, C, generator=generator, dtype=torch.float64)
        found = torch.stack([(sure * (FACES.logits + n)).softmax(1) for n in noise], 1)
        method.found.copy_(found)
        method.begin_epoch(clock_at(epoch), None)
        kinds, labels, past = literal_sort(found, past, sigma, decay)
        assert method.kind.tolist() == kinds and method.label.tolist() == labels
        torch.testing.assert_close(method.past, torch.tensor(past), rtol=1e-12, atol=1e-15)
        seen |= set(kinds)
    assert seen >= {0, 2, 3} and (1 in seen or not values), "the numbers show too little"


def literal_gce(z: Tensor, y: int, q: float = 0.7) -> Tensor:
    return (1 - softmax(z)[y] ** q) / q


def literal_matched(chosen: list[int], places: Tensor) -> dict[int, int]:
    """Which face each of the chosen is mixed with: two orders of them by drawn numbers, [B, 2]."""
    orders = [sorted(chosen, key=lambda i: float(places[i, k])) for k in range(2)]
    return dict(zip(*orders, strict=True))


def literal_disc(net: Pixels, rows: list[int], kinds: list[int], fixed: list[int], draws: dict, lam_h: float) -> Tensor:
    given, total = FACES.given.tolist(), torch.zeros(())
    for i in rows:
        for images in (IMAGES, SECOND):
            z = net.weight @ images[i].flatten() + net.bias
            total = total + (ce(z, given[i]) if kinds[i] == 3 else
                             lam_h * literal_gce(z, given[i]) if kinds[i] == 2 else 0) / len(rows)
    chosen = [k for k, i in enumerate(rows) if kinds[i] > 0]
    for v, images in enumerate((IMAGES, SECOND)):
        lam = float(draws["share"][0, v])
        for k, m in literal_matched(chosen, draws["place"][:, 2 * v:2 * v + 2]).items():
            i, j = rows[k], rows[m]
            z = net.weight @ (lam * images[i] + (1 - lam) * images[j]).flatten() + net.bias
            total = total + (lam * ce(z, fixed[i]) + (1 - lam) * ce(z, fixed[j])) / len(chosen)
    return total


VISITS = [list(range(16)), [39, 3, 21, 0, 17, 12, 35], [9]]


@pytest.mark.parametrize("values", [{}, {"lam_h": "0.2"}], ids=str)
@pytest.mark.parametrize("rows", VISITS, ids=len)
@pytest.mark.parametrize("mixed", [True, False])
def test_disc_loss_and_gradient_are_those_of_the_formula(mixed, rows, values):
    net = Pixels(1)
    method = build(net, **values)
    method.begin_epoch(clock_at(30), None)
    kinds = (torch.arange(N) * 7 % 4).tolist() if mixed else [0] * N
    fixed = [int(t if k == 1 else g) for k, t, g in zip(kinds, FACES.true, FACES.given, strict=True)]
    method.kind.copy_(torch.tensor(kinds))
    method.label.copy_(torch.tensor(fixed))
    draws, before = method.draw(torch.Generator().manual_seed(3), len(rows)), method.found.clone()
    given = batch(rows, **draws)
    loss = method.loss(given, clock_at(30))
    expected = literal_disc(net, rows, kinds, fixed, draws, float(values.get("lam_h", 1)))
    if mixed:
        assert_same(loss, expected, [net.weight, net.bias])
    else:
        assert loss.item() == 0
    for v, images in enumerate((IMAGES, SECOND)):
        torch.testing.assert_close(method.found[rows, v], net(images[rows]).softmax(1).detach())
    others = [i for i in range(N) if i not in rows]
    assert method.found[others].equal(before[others])
    assert given.logged["weight"].tolist() == pytest.approx([{3: 1, 2: 2 / 3}.get(kinds[i], 0) for i in rows])


@pytest.mark.parametrize(("epochs", "values", "first", "decay"), [
    (100, {"start": "0.1", "memory": "0.2"}, 10, 0.95), (60, {}, 20, 0.95), (12, {}, 4, 0.75),
    (60, {"start": "0"}, 1, 0.95), (1, {}, 1, 0)], ids=str)
def test_disc_warms_up_by_cross_entropy_of_both_views_and_has_the_memory_of_its_source(epochs, values, first, decay):
    net = Pixels(1)
    method = build(net, epochs, **values)
    assert (method.first, method.decay) == (first, pytest.approx(decay))
    method.begin_epoch(clock_at(first - 1), None)
    loss = method.loss(batch(list(range(B)), **method.draw(torch.Generator(), B)), clock_at(first - 1))
    expected = sum(ce(z, int(y)) / B for images in (IMAGES, SECOND)
                   for z, y in zip(net(images[:B]), FACES.given[:B], strict=True))
    assert_same(loss, expected, [net.weight, net.bias])
    method.begin_epoch(clock_at(first), None)
    assert not method.warm


def test_disc_mixes_faces_with_any_of_the_chosen_and_no_other():
    """Over many draws every chosen face is mixed with every chosen one equally often, itself too."""
    method = build(Pixels(1))
    chosen = torch.tensor([0, 1, 1, 0, 1, 1, 0, 1, 0, 0]).bool()
    met, generator = torch.zeros(10, 10), torch.Generator().manual_seed(2)
    for _ in range(2000):
        place = method.draw(generator, 10)["place"][:, :2]
        one, other = (place + (~chosen)[:, None]).argsort(dim=0, stable=True).T
        met[one, other] += 1
    inside = met[chosen][:, chosen]
    assert met.sum() == 20000 and not met[chosen][:, ~chosen].any() and not met[~chosen][:, chosen].any()
    assert (inside - 400).abs().max() < 5 * math.sqrt(400)


def test_disc_draws_a_share_above_a_half_for_each_view():
    method, generator = build(Pixels(1)), torch.Generator().manual_seed(2)
    shares = torch.stack([method.draw(generator, 4)["share"] for _ in range(300)])
    assert (shares == shares[:, :1]).all() and (shares >= 0.5).all() and (shares <= 1).all()
    assert (shares[:, 0, 0] != shares[:, 0, 1]).all()
    assert float(shares.mean()) == pytest.approx(0.623, abs=0.01)  # of the larger of lam and 1 - lam, Beta(5, 5)
