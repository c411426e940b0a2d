"""DivideMix against its formula in loops, in float64; its mixture against scikit-learn's; how many faces are kept."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from scipy.stats import beta, kstest
from sklearn.mixture import GaussianMixture
from test_parity import LABELS, B, C, clock_at, float64  # noqa: F401
from test_parity_noise import IMAGES, SECOND, Given, Pixels, assert_same, batch, build, ce, kept, softmax
from torch import Tensor

from fer_bench.parts.mixture import gaussian_low, scaled
from fer_bench.parts.small_loss import kept_share, smallest


def literal_targets(rows: list[int], means: list, k: int, clean: list[float], temperature: float,
                    threshold: float) -> tuple[list[list[float]], list[bool]]:
    """Of network k, by face, sharpened; and whether a face keeps its label. means: predictions of both."""
    targets, labelled = [], []
    for i, row in enumerate(rows):
        w = clean[i]
        guess = [(means[0][i][c] + means[1][i][c]) / 2 for c in range(C)]
        refined = [w * (c == LABELS[row]) + (1 - w) * means[k][i][c] for c in range(C)]
        sharp = [float(value) ** (1 / temperature) for value in (refined if w > threshold else guess)]
        targets.append([value / sum(sharp) for value in sharp])
        labelled.append(w > threshold)
    return targets, labelled


def literal_network(net: Pixels, rows: list[int], targets: list, labelled: list, lam: float, partner: list[int],
                    lambda_u: float) -> Tensor:
    """The loss of one network after the warm-up; the 2B places are the first views, then the second ones."""
    views, size = [*IMAGES[rows], *SECOND[rows]], len(rows)
    right, near, chances = [], [], []
    for i, j in enumerate(partner):
        p = softmax(net.weight @ (lam * views[i] + (1 - lam) * views[j]).flatten() + net.bias)
        t = [lam * a + (1 - lam) * b for a, b in zip(targets[i % size], targets[j % size], strict=True)]
        if labelled[i % size]:
            right.append(-sum(t[c] * torch.log(p[c]) for c in range(C)))
        else:
            near.append(sum((p[c] - t[c]) ** 2 for c in range(C)) / C)
        chances.append(p)
    mean = [sum(p[c] for p in chances) / len(chances) for c in range(C)]
    prior = sum(torch.log(1 / C / mean[c]) / C for c in range(C))
    return sum(right) / max(len(right), 1) + lambda_u * sum(near) / max(len(near), 1) + prior


def literal_dividemix(nets: tuple[Pixels, Pixels], rows: list[int], clean: Tensor, draws: dict, lambda_u: float,
                      temperature: float = 0.5, threshold: float = 0.5) -> Tensor:
    """The losses of both networks; clean: of all faces."""
    means, total = [], 0
    for net in nets:
        pairs = [(softmax(one), softmax(two)) for one, two in zip(net(IMAGES[rows]), net(SECOND[rows]), strict=True)]
        means.append([[(p[c].item() + q[c].item()) / 2 for c in range(C)] for p, q in pairs])
    for k, net in enumerate(nets):
        peer = [clean[row, 1 - k].item() for row in rows]
        targets, labelled = literal_targets(rows, means, k, peer, temperature, threshold)
        partner = draws["partner"].view(-1, 2)[:, k].tolist()
        total = total + literal_network(net, rows, targets, labelled, float(draws["share"][0]), partner, lambda_u)
    return total


CLEAN = {"some": torch.rand(B, 2, generator=torch.Generator().manual_seed(5), dtype=torch.float64),
         "all": torch.full((B, 2), 0.9), "none": torch.full((B, 2), 0.2), "on the threshold": torch.full((B, 2), 0.5)}
SHORT = {"warmup": "0.1", "ramp": "0.05"}  # 6 and 3 of 60 epochs


def dividemix(epoch: float, clean: Tensor, **values: str):
    """Networks, draws and loss of a batch."""
    nets = Pixels(1), Pixels(2)
    method = build("dividemix", *nets, **values)
    method.clean.copy_(clean)
    draws = method.draw(torch.Generator().manual_seed(3), B)
    return nets, draws, method.loss(batch(**draws), clock_at(epoch))


def assert_literal(epoch: float, lambda_u: float, clean: Tensor, values: dict[str, str], **literal: float) -> None:
    nets, draws, loss = dividemix(epoch, clean, **values)
    expected = literal_dividemix(nets, list(range(B)), clean, draws, lambda_u, **literal)
    assert_same(loss, expected, [w for net in nets for w in (net.weight, net.bias)])


@pytest.mark.parametrize("clean", CLEAN)
@pytest.mark.parametrize(("epoch", "lambda_u"), [(6, 0), (19 / 3, 25 / 9), (7, 25 / 3), (26 / 3, 200 / 9), (9, 25),
                                                 (59, 25)])
def test_dividemix_loss_and_gradient_are_those_of_the_formula(epoch, lambda_u, clean):
    assert_literal(epoch, lambda_u, CLEAN[clean], SHORT)


def test_dividemix_obeys_its_temperature_threshold_and_weight():
    values = {"temperature": "0.7", "threshold": "0.3", "lambda_u": "10"}
    assert_literal(59, 10, CLEAN["some"], values, temperature=0.7, threshold=0.3)


@pytest.mark.parametrize(("epoch", "lambda_u"), [(10, 0), (18, 25 * 8 / 16.2), (26, 25 * 16 / 16.2), (27, 25)])
def test_dividemix_ramps_by_default_over_16_epochs_from_the_eleventh_of_sixty_on(epoch, lambda_u):
    assert_literal(epoch, lambda_u, CLEAN["some"], {})


@pytest.mark.parametrize(("epoch", "values"), [(0, SHORT), (17 / 3, SHORT), (0, {}), (29 / 3, {})], ids=str)
def test_dividemix_warms_up_by_cross_entropy_on_both_views(epoch, values):
    nets, _, loss = dividemix(epoch, CLEAN["some"], **values)
    expected = sum(ce(z, label) / (2 * B) for net in nets for faces in (IMAGES, SECOND)
                   for z, label in zip(net(faces), LABELS, strict=True))
    assert_same(loss, expected, [w for net in nets for w in (net.weight, net.bias)])


def test_dividemix_draws_a_share_above_a_half_and_a_permutation_of_both_views_for_each_network():
    method, generator = build("dividemix", Pixels(1), Pixels(2)), torch.Generator().manual_seed(1)
    for _ in range(100):
        draws = method.draw(generator, B)
        assert len(set(draws["share"].tolist())) == 1 and 0.5 <= draws["share"][0] <= 1
        one, other = draws["partner"].view(-1, 2).T.tolist()
        assert sorted(one) == sorted(other) == list(range(2 * B)) and one != other


@pytest.mark.parametrize("alpha", [None, 0.5])
def test_dividemix_draws_its_share_from_a_beta_distribution(alpha):
    values, spread = ({}, beta(4, 4)) if alpha is None else ({"alpha": str(alpha)}, beta(alpha, alpha))
    method, generator = build("dividemix", Pixels(1), Pixels(2), **values), torch.Generator().manual_seed(1)
    shares = [float(method.draw(generator, 1)["share"][0]) for _ in range(1000)]
    assert kstest(shares, lambda x: spread.cdf(x) - spread.cdf(1 - x)).pvalue > 1e-6


def test_dividemix_predicts_with_the_mean_of_both_networks():
    nets = Pixels(1), Pixels(2)
    assert torch.allclose(build("dividemix", *nets).predict(IMAGES), (nets[0](IMAGES) + nets[1](IMAGES)) / 2)


def bimodal(seed: int, share: float, size: int = 600) -> Tensor:
    """Losses of rightly and of wrongly labelled faces, the wrong ones first."""
    generator = torch.Generator().manual_seed(seed)
    low, high = torch.randn(2, size, generator=generator, dtype=torch.float64)
    return torch.where(torch.arange(size) < share * size, 2 + 0.4 * high, 0.3 + 0.1 * low).clamp(min=0.001)


def mixture_of(losses: Tensor) -> Tensor:
    """Posterior of the component of small losses by scikit-learn, on losses stretched to 0..1 by hand."""
    low, high = min(losses.tolist()), max(losses.tolist())
    x = [[(value - low) / (high - low)] for value in losses.tolist()]
    fitted = GaussianMixture(2, reg_covar=5e-4, max_iter=200, tol=1e-8, random_state=0).fit(x)
    return torch.tensor(fitted.predict_proba(x)[:, fitted.means_[:, 0].argmin()])


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_mixture_is_that_of_scikit_learn(seed, share):
    losses = bimodal(seed, share)
    found, expected = gaussian_low(scaled(losses)), mixture_of(losses)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-2)
    assert (found > 0.5).equal(expected > 0.5)
    assert ((found < 0.5) == (torch.arange(600) < share * 600)).double().mean() > 0.99


def test_mixture_of_one_loss_trusts_its_label():
    assert gaussian_low(scaled(torch.tensor([1.7]))).tolist() == [1]


def test_mixture_of_equal_losses_decides_nothing():
    assert gaussian_low(scaled(torch.full((50,), 1.7))).tolist() == pytest.approx([0.5] * 50)


@pytest.mark.parametrize(("values", "first"), [(SHORT, 6), ({}, 10)], ids=str)
def test_dividemix_asks_the_mixture_over_all_faces_from_the_end_of_the_warm_up_on(values, first):
    """A network that knows the faces: its losses are given, those of the other network's are others."""
    labels, losses = torch.arange(600) % C, [bimodal(3, 0.3), bimodal(4, 0.2).flip(0)]
    nets = Given(torch.empty(0)), Given(torch.empty(0))
    method = build("dividemix", *nets, labels=labels, **values)

    def sweep(visit) -> None:
        for rows in torch.randperm(600).split(250):
            for net, loss in zip(nets, losses, strict=True):  # the label has p = exp(-loss), the rest is shared out
                p = torch.exp(-loss[rows])[:, None]
                net.logits = torch.log(((1 - p) / (C - 1)).repeat(1, C).scatter(1, labels[rows][:, None], p))
            visit(torch.zeros(len(rows), 1, 2, 3), rows)

    for epoch in (0, first - 1):
        method.begin_epoch(clock_at(epoch), sweep)
        assert method.clean.equal(torch.ones(600, 2))
    method.begin_epoch(clock_at(first), sweep)
    for k in range(2):
        torch.testing.assert_close(method.clean[:, k], mixture_of(losses[k]), rtol=0, atol=1e-2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_number_of_kept_faces_is_exact_whatever_the_precision(dtype):
    torch.set_default_dtype(dtype)
    for size in (1, 7, 10, 20, 30, 64, 100, 250):
        losses = torch.arange(size).flip(0).to(dtype)
        for rate in (Fraction(percent, 100) for percent in range(0, 100, 10)):
            for epoch in (0, 1, 2, 3, 40):
                chosen = smallest(losses, kept_share(clock_at(epoch), float(rate), 0.05)).nonzero()[:, 0].tolist()
                assert chosen == sorted(kept(losses.tolist(), rate, epoch))


def test_share_kept_falls_linearly_to_one_minus_the_noise_rate():
    """R in the paper's form: epochs counted from 1; by default it is full in the tenth of sixty."""
    shares = [float(kept_share(clock_at(epoch), 0.3, 0.05)) for epoch in (0, 1, 2, 3, 59)]
    assert shares == pytest.approx([0.9, 0.8, 0.7, 0.7, 0.7], abs=1e-12)
    assert all(math.isclose(float(kept_share(clock_at(epoch), 0.3, 0)), 0.7) for epoch in (0, 1, 59))
    for ramp in (build(name, Pixels(1), Pixels(2), rate=0.4).ramp for name in ("co-teaching", "jocor")):
        rates = [1 - float(kept_share(clock_at(epoch), 0.4, ramp)) for epoch in (0, 4, 8, 9, 10)]
        assert rates == pytest.approx([0.04, 0.2, 0.36, 0.4, 0.4], abs=1e-12)
