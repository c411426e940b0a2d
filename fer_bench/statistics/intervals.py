"""The interval of a paired gain, over seeds and test faces together. Read it for what "+1.2 [0.3, 2.1]" means.

Two methods were trained with the same seeds and tested on the same faces; d[s, i] is 1 where only the first is right,
-1 where only the second is, else 0. What seed s adds, what face i adds and the rest are random:

    d[s, i] = gain + seed[s] + face[i] + rest[s, i]

so the variance of the mean is that of seeds / n + that of faces / N + that of the rest / (n N). The three are
estimated from means over faces, means over seeds and what both leave, as in a two-way analysis of variance with random
effects (Searle, Casella & McCulloch, Variance Components, 1992, chapter 4). What n seeds tell of the seeds' variance
is little, so the interval reckons with all values that it may have, each as likely as n - 1 degrees of freedom leave
it (a generalised confidence interval: Weerahandi 1993; Hannig, Iyer & Patterson 2006). One t with Satterthwaite's
degrees of freedom, and the percentiles of a bootstrap, are too narrow with few seeds; benchmarks/statistics.py
measures all three. Faces are a sample within each class: how many faces of each class a test set holds is its makers'
choice, no draw.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

Metric = Literal["overall", "mean"]
LEVEL = 0.95
STEPS = 200  # of the average over variances


@dataclass(frozen=True)
class Interval:
    """A gain and where it lies with a probability of ``level``; all are fractions, not percent.

    With one seed it is of these two networks on other faces of the kind, and says nothing of another training.
    """

    gain: float
    low: float
    high: float
    seeds: int
    faces: int  # 0: of seeds alone, since it is not known which faces were right
    level: float = LEVEL

    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Parts:
    """The variance of a mean gain, by where it comes from, with the degrees of freedom of each estimate."""

    seeds: float  # of the seeds' gains / n: holds the rest once, too
    faces: np.ndarray  # float64 [C], of faces by class: holds the rest once, too
    rest: np.ndarray  # float64 [C], what both hold
    counts: np.ndarray  # int64 [C], faces of each class
    number: int  # of seeds


def face_weights(labels: np.ndarray, metric: Metric) -> np.ndarray:
    """What each face counts in an accuracy, float64 [N], sum 1. labels: int64 [N]; classes without a face count nothing
    in ``mean``, as in ``engine/metrics.py``."""
    if metric == "overall":
        return np.full(len(labels), 1 / len(labels))
    counts = np.bincount(labels)
    found: np.ndarray = 1 / (np.count_nonzero(counts) * counts[labels].astype(np.float64))
    return found


def differences(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """d of the module's text, float64 [S, N], from which faces were right: bool [S, N] each."""
    if one.shape != other.shape or one.ndim != 2 or not one.size:
        raise ValueError(f"expected two arrays of one shape [seeds, faces], found {one.shape} and {other.shape}")
    found: np.ndarray = one.astype(np.float64) - other
    return found


def parts_of(gaps: np.ndarray, labels: np.ndarray, metric: Metric) -> Parts:
    """The parts of the variance of the mean gain. gaps: float64 [S, N]; labels: int64 [N]."""
    number, weights = len(gaps), face_weights(labels, metric)
    by_face = gaps.mean(0)
    seeds = float((gaps @ weights).var(ddof=1)) / number if number > 1 else 0.0
    classes = np.unique(labels)
    faces, rest, counts = np.zeros(len(classes)), np.zeros(len(classes)), np.zeros(len(classes), np.int64)
    alone = []
    for place, label in enumerate(classes):
        own = np.flatnonzero(labels == label)
        counts[place], scale = len(own), len(own) * weights[own[0]] ** 2
        if len(own) == 1:
            alone.append((place, scale))
            continue
        faces[place] = scale * by_face[own].var(ddof=1)
        if number > 1:
            table = gaps[:, own]
            left = table - table.mean(1, keepdims=True) - by_face[own] + by_face[own].mean()
            rest[place] = scale * (left**2).sum() / ((number - 1) * (len(own) - 1)) / number
    for place, scale in alone:  # one face tells no spread: the class is taken to spread as all faces do
        faces[place] = scale * by_face.var(ddof=1) if len(labels) > 1 else 0.0
    return Parts(seeds, faces, rest, counts, number)


def half_width(parts: Parts, level: float = LEVEL) -> float:
    """Half the width of the interval: the mean gain is off by less with probability ``level``, on average over the
    values that the variance of seeds may have."""
    from scipy.optimize import brentq  # here: half a second that no table needs
    from scipy.stats import chi2, t

    faces = float(parts.faces.sum())
    uncertain = float((parts.faces**2 / np.maximum(parts.counts - 1, 1)).sum())
    free = faces**2 / uncertain if uncertain > 0 else math.inf  # of all classes together (Satterthwaite 1946)
    errors = np.array([math.sqrt(faces)])
    if parts.number > 1:
        chances = (np.arange(STEPS) + 0.5) / STEPS
        seeds = parts.seeds * (parts.number - 1) / chi2.ppf(chances, parts.number - 1)
        errors = np.sqrt(faces + np.maximum(seeds - parts.rest.sum(), 0))
    if not errors.any():
        return 0.0
    errors = np.maximum(errors, errors.max() * 1e-12)  # seeds alone may vary
    most = float(t.isf((1 - level) / 2, free)) * float(errors.max()) * (1 + 1e-9)
    return float(brentq(lambda half: (2 * t.cdf(half / errors, free) - 1).mean() - level, 0, most))


def gain_interval(one: np.ndarray, other: np.ndarray, labels: np.ndarray, metric: Metric = "overall",
                  level: float = LEVEL) -> Interval:
    """The interval of the gain of the first method over the second.

    one, other: bool [S, N], whether each seed's network is right on each test face. labels: int64 [N], true classes.
    """
    gaps = differences(one, other)
    gain, half = float((gaps @ face_weights(labels, metric)).mean()), half_width(parts_of(gaps, labels, metric), level)
    return Interval(gain, gain - half, gain + half, len(gaps), len(labels), level)


def seeds_interval(gains: np.ndarray, level: float = LEVEL) -> Interval:
    """The interval over seeds alone (Student's t), where it is not known which faces were right.

    gains: float64 [S], two or more; ValueError below.
    """
    from scipy.stats import t

    if len(gains) < 2:
        raise ValueError("one seed has no spread")
    gain, error = float(gains.mean()), float(gains.std(ddof=1)) / math.sqrt(len(gains))
    half = float(t.isf((1 - level) / 2, len(gains) - 1)) * error
    return Interval(gain, gain - half, gain + half, len(gains), 0, level)
