"""ReSup's mixture of two Beta distributions against its EM in loops, and against the reference's table."""

from __future__ import annotations

import math

import pytest
import torch

from fer_bench.parts.mixture import beta_high


def literal_posterior(x):
    """EM by moments over two Betas, value by value; returns the lower mean and the posterior of the higher one at v."""
    share, part = [0.5, 0.5], [[1 - v, v] for v in x]
    for _ in range(10):
        terms, means = [], []
        for k in range(2):
            total = sum(r[k] for r in part)
            mean = sum(r[k] * v for r, v in zip(part, x, strict=True)) / total
            variance = sum(r[k] * (v - mean) ** 2 for r, v in zip(part, x, strict=True)) / total
            a = mean * (mean * (1 - mean) / variance - 1)
            b, share[k] = a * (1 - mean) / mean, total / len(x)
            terms.append((share[k] * math.gamma(a + b) / (math.gamma(a) * math.gamma(b)), a - 1, b - 1))
            means.append(mean)

        def posterior(v, terms=tuple(terms)):
            low, high = (factor * v**a * (1 - v) ** b for factor, a, b in terms)
            return high / (low + high)

        part = [[1 - posterior(v), posterior(v)] for v in x]
    return means[0], posterior


def literal_beta_high(x):
    """Not falling as x rises: above the lower mean the most from there, below it the least from there."""
    mean, posterior = literal_posterior(x)
    above = [max([posterior(mean)] + [posterior(w) for w in x if mean <= w <= v]) for v in x]
    below = [min([posterior(mean)] + [posterior(w) for w in x if v <= w < mean]) for v in x]
    return [b if v < mean else a for v, a, b in zip(x, above, below, strict=True)]


def literal_table(x):
    """ReSup's look-up of 100 bins, set to its maximum from its arg-max on (utils.py at 0eb4353)."""
    _, posterior = literal_posterior(x)
    bins = [posterior(min(max(n / 99, 1e-4), 1 - 1e-4)) for n in range(100)]
    best = bins.index(max(bins))
    bins[best:] = [bins[best]] * (100 - best)
    return [bins[min(int(100 * v), 99)] for v in x]


def similarities(wrong, right):
    """Of 300 wrongly and 700 rightly labelled faces, as Beta distributions; a partly trained network's overlap."""
    groups = [torch.distributions.Beta(*ab).sample((n,)) for ab, n in ((wrong, 300), (right, 700))]
    return torch.cat(groups).clamp(1e-4, 1 - 1e-4)


OVERLAPS = [((1.5, 6.0), (2.0, 1.0)), ((1.2, 3.0), (1.5, 0.8)), ((0.8, 4.0), (2.0, 1.2)), ((2.0, 6.0), (3.0, 1.5))]


@pytest.mark.parametrize("groups", OVERLAPS, ids=str)
def test_beta_mixture_gives_overlapping_groups_the_weights_of_the_reference_s_table(groups):
    x = similarities(*groups)
    found, table = beta_high(x), torch.tensor(literal_table(x.tolist()))
    assert found.tolist() == pytest.approx(literal_beta_high(x.tolist()), rel=1e-6)
    assert float(found[:300].mean()) == pytest.approx(float(table[:300].mean()), abs=0.02)
    assert float(found[300:].mean()) == pytest.approx(float(table[300:].mean()), abs=0.02)


def test_beta_mixture_is_its_em_by_moments_and_parts_two_groups():
    x = torch.cat([torch.linspace(0.05, 0.25, 20), torch.linspace(0.75, 0.97, 30)])[torch.randperm(50)]
    found = beta_high(x)
    assert found.tolist() == pytest.approx(literal_beta_high(x.tolist()), rel=1e-8)
    assert found[x > 0.5].min() > 0.9 and found[x < 0.5].max() < 0.1
    assert found[x.argsort()].diff().min() >= 0


def test_beta_mixture_never_falls_and_still_parts_groups_that_overlap():
    """Some right faces are as dissimilar as none of the wrong ones: they must not lift the wrong ones' weights to 1."""
    wrong, right = (torch.distributions.Beta(a, b).sample((n,)) for a, b, n in ((4.0, 12.0, 3000), (1.0, 0.3, 7000)))
    found = beta_high(torch.cat([wrong, right]))
    assert found[torch.cat([wrong, right]).argsort()].diff().min() >= 0
    assert found[3000:].mean() > 0.7 and found[:3000].mean() < 0.4
