"""The hierarchical bootstrap of a gain: seeds, then test faces, drawn again and again. Read it for `--interval
bootstrap`.

A draw takes n of the n seeds and, within each class, as many of its faces as it has, both with replacement; the same
for both methods, and the same faces for all seeds of the draw. Percentiles of many draws are an interval that assumes
no distribution, but with n seeds their spread comes out sqrt((n - 1) / n) too small, and no percentile knows how
little n seeds tell of it: with three the interval is too narrow (benchmarks/statistics.py). `intervals.py` is what is
shown unless it is asked for this one.
"""

from __future__ import annotations

import numpy as np

from fer_bench.statistics.intervals import LEVEL, Interval, Metric, differences, face_weights

DRAWS = 2000


def draws(gaps: np.ndarray, labels: np.ndarray, metric: Metric, count: int = DRAWS) -> np.ndarray:
    """The gain in ``count`` draws, float64 [count]; the same numbers in every call.

    gaps: float64 [S, N], as ``intervals.differences`` gives them. labels: int64 [N].
    """
    random = np.random.default_rng(0)
    seeds = random.multinomial(len(gaps), np.full(len(gaps), 1 / len(gaps)), count) / len(gaps)  # [count, S]
    weights = face_weights(labels, metric)
    found = np.zeros(count)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        drawn = random.integers(len(own), size=(count, len(own)), dtype=np.int32)  # [count, faces of the class]
        by_face = seeds @ gaps[:, own]  # [count, faces of the class], mean over the seeds of each draw
        found += weights[own[0]] * np.take_along_axis(by_face, drawn, 1).sum(1)
    return found


def bootstrap_interval(one: np.ndarray, other: np.ndarray, labels: np.ndarray, metric: Metric = "overall",
                       level: float = LEVEL, count: int = DRAWS) -> Interval:
    """The percentile interval of the gain of the first method over the second.

    one, other: bool [S, N], whether each seed's network is right on each test face. labels: int64 [N], true classes.
    """
    gaps = differences(one, other)
    low, high = np.quantile(draws(gaps, labels, metric, count), [(1 - level) / 2, (1 + level) / 2])
    gain = float((gaps @ face_weights(labels, metric)).mean())
    return Interval(gain, float(low), float(high), len(gaps), len(labels), level)
