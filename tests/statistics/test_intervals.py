"""Intervals of a gain: the parts against slow loops, bounds that must hold, the bootstrap draw by draw."""

import math

import numpy as np
import pytest
from scipy.stats import chi2, norm, t

from fer_bench.statistics.bootstrap import bootstrap_interval, draws
from fer_bench.statistics.intervals import (
    differences,
    face_weights,
    gain_interval,
    half_width,
    parts_of,
    seeds_interval,
)


def made(seeds=4, counts=(30, 20, 5), number=0, shift=0.3):
    """Which faces two methods have right, and the classes: faces that are hard for both, some noise."""
    random = np.random.default_rng(number)
    labels = random.permutation(np.repeat(np.arange(len(counts)), counts))
    base = random.normal(0.5, 1, len(labels))
    one, other = (base + gain + random.normal(0, 0.7, (seeds, len(labels))) + random.normal(0, 0.3, (seeds, 1)) > 0
                  for gain in (shift, 0))
    return one, other, labels


def test_the_gain_is_the_difference_of_accuracies_of_both_kinds():
    one, other, labels = made()
    gain = one.mean() - other.mean()
    assert gain_interval(one, other, labels).gain == pytest.approx(gain)
    recalls = [[(right[:, labels == c]).mean() for c in range(3)] for right in (one, other)]
    assert gain_interval(one, other, labels, "mean").gain == pytest.approx(np.mean(recalls[0]) - np.mean(recalls[1]))


def test_weights_of_classes_without_a_face():
    assert face_weights(np.array([0, 2, 2]), "mean").tolist() == [0.5, 0.25, 0.25]
    assert face_weights(np.array([0, 2, 2]), "overall").tolist() == [1 / 3] * 3


@pytest.mark.parametrize("metric", ["overall", "mean"])
def test_parts_by_loops(metric):
    one, other, labels = made()
    gaps, weights = differences(one, other), face_weights(labels, metric)
    parts = parts_of(gaps, labels, metric)
    seeds = len(gaps)
    gains = [sum(weights[i] * gaps[s, i] for i in range(len(labels))) for s in range(seeds)]
    assert parts.seeds == pytest.approx(sum((g - sum(gains) / seeds) ** 2 for g in gains) / (seeds - 1) / seeds)
    for c in range(3):
        own = [i for i in range(len(labels)) if labels[i] == c]
        n, w = len(own), weights[own[0]]
        face = {i: sum(gaps[s, i] for s in range(seeds)) / seeds for i in own}
        seed = [sum(gaps[s, i] for i in own) / n for s in range(seeds)]
        centre = sum(seed) / seeds
        assert parts.faces[c] == pytest.approx(w * w * n * sum((face[i] - centre) ** 2 for i in own) / (n - 1))
        left = sum((gaps[s, i] - face[i] - seed[s] + centre) ** 2 for s in range(seeds) for i in own)
        assert parts.rest[c] == pytest.approx(w * w * n * left / ((n - 1) * (seeds - 1)) / seeds)


def test_the_parts_are_unbiased():
    """Normal gaps with known variances: 9 of seeds, 4 of faces, 1 of the rest; 3 seeds, 40 faces."""
    random, labels, found = np.random.default_rng(1), np.repeat([0, 1], [30, 10]), []
    for _ in range(1500):
        gaps = random.normal(0, 3, (3, 1)) + random.normal(0, 2, 40) + random.normal(0, 1, (3, 40))
        parts = parts_of(gaps, labels, "overall")
        found.append([parts.seeds, parts.faces.sum(), parts.rest.sum()])
    truth = [9 / 3 + 1 / 120, 4 / 40 + 1 / 120, 1 / 120]
    assert np.mean(found, 0) == pytest.approx(truth, rel=0.1)


def test_one_seed_is_the_t_interval_of_its_faces():
    one, other, labels = made(seeds=1, counts=(80,))
    gaps = differences(one, other)[0]
    half = t.isf(0.025, 79) * gaps.std(ddof=1) / math.sqrt(80)
    found = gain_interval(one, other, labels)
    assert found.high - found.gain == pytest.approx(half)
    assert (found.seeds, found.faces) == (1, 80)


def test_seeds_alone_give_students_interval():
    """Every face of a seed differs alike, so only seeds vary: 1, 0, 0, 1, 1."""
    one = np.repeat([[True], [False], [False], [True], [True]], 50, 1)
    found = gain_interval(one, np.zeros_like(one), np.repeat([0, 1], 25))
    alone = seeds_interval(np.array([1.0, 0, 0, 1, 1]))
    assert found.high - found.low == pytest.approx(alone.high - alone.low, rel=0.01)
    assert alone.low == pytest.approx(0.6 - t.isf(0.025, 4) * np.std([1, 0, 0, 1, 1], ddof=1) / math.sqrt(5))


def test_half_width_by_chance():
    """The mean of many drawn variances, instead of quantiles: the half width holds 95 % of normal errors."""
    parts = parts_of(differences(*made(seeds=3, counts=(200, 100))[:2]), made(seeds=3, counts=(200, 100))[2], "overall")
    half, random = half_width(parts), np.random.default_rng(0)
    variance = parts.faces.sum() + np.maximum(parts.seeds * 2 / chi2.rvs(2, size=200_000, random_state=random)
                                              - parts.rest.sum(), 0)
    assert (2 * norm.cdf(half / np.sqrt(variance)) - 1).mean() == pytest.approx(0.95, abs=0.002)


@pytest.mark.parametrize("number", range(5))
def test_swapped_methods_mirror_the_interval(number):
    one, other, labels = made(number=number)
    there, back = gain_interval(one, other, labels, "mean"), gain_interval(other, one, labels, "mean")
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    shuffled = np.random.default_rng(number).permutation(len(labels))
    again = gain_interval(one[::-1, shuffled], other[::-1, shuffled], labels[shuffled], "mean")
    assert (again.low, again.high) == pytest.approx((there.low, there.high))


def test_equal_methods_have_no_width():
    one, _, labels = made()
    assert gain_interval(one, one, labels) == gain_interval(one, one.copy(), labels)
    assert (gain_interval(one, one, labels).low, gain_interval(one, one, labels).high) == (0, 0)
    assert not gain_interval(one, one, labels).excludes_zero()


def test_a_class_of_one_face_is_not_taken_for_certain():
    one, other, labels = made(counts=(30, 20, 1))
    assert parts_of(differences(one, other), labels, "mean").faces[2] > 0


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        differences(np.ones((2, 3), bool), np.ones((2, 4), bool))
    with pytest.raises(ValueError, match="no spread"):
        seeds_interval(np.array([0.1]))


@pytest.mark.parametrize("metric", ["overall", "mean"])
def test_the_bootstrap_as_one_draw_at_a_time(metric):
    one, other, labels = made(seeds=3, counts=(40, 12))
    gaps, random = differences(one, other), np.random.default_rng(5)
    weights, slow = face_weights(labels, metric), []
    for _ in range(4000):
        seeds = random.integers(3, size=3)
        faces = np.concatenate([random.choice(np.flatnonzero(labels == c), (labels == c).sum()) for c in range(2)])
        slow.append((gaps[seeds][:, faces] @ weights[faces]).mean())
    fast = draws(gaps, labels, metric, 4000)
    assert fast.mean() == pytest.approx(np.mean(slow), abs=0.006)
    assert fast.std() == pytest.approx(np.std(slow), rel=0.06)
    found = bootstrap_interval(one, other, labels, metric)
    assert (found.low, found.high) == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=0.02)
    assert found == bootstrap_interval(one, other, labels, metric), "the same draws in every call"
