"""Statistics over seeds: spread, sign-flip test, Holm, the bold rule. Read it for what a p in a table means.

All tests are paired by seed: two methods see the same data order and augmentations under one seed, so the
difference of the two is much less noisy than either. Values are fractions; nothing here knows of records.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TypeVar

import numpy as np

ALPHA = 0.05
EXACT_UP_TO = 16  # pairs; 2^16 sign patterns still take milliseconds
TIE = 1e-9  # of the differences' absolute sum: sums that are nearer than this are equal
DRAWS = 2**16 - 1  # Monte-Carlo sign patterns beyond that

Key = TypeVar("Key", int, tuple[int, int])  # a seed, or seed and fold
Seeds = Mapping[int, float]  # seed -> value of one method


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean; ValueError when there is nothing to average."""
    if not values:
        raise ValueError("mean of no values")
    return math.fsum(values) / len(values)


def std(values: Sequence[float]) -> float | None:
    """Standard deviation over seeds (ddof 1); None below two values, which have no spread."""
    if len(values) < 2:
        return None
    centre = mean(values)
    return math.sqrt(math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1))


def sign_flip(differences: Sequence[float]) -> float:
    """Two-sided p that paired differences are symmetric about 0: how many sign patterns give as large a sum.

    Exact over all 2^n patterns for n <= 16; beyond, 65535 patterns drawn with a fixed seed (the observed one
    is counted too, so p > 0). The observed pattern and its mirror always count, so the least p that n pairs
    can reach is 2^(1-n): n=1 -> 1, n=3 -> .25, n=5 -> .0625, n=6 -> .03125, n=10 -> .002. Five seeds can
    therefore never be "significant at .05", however large the gain. ValueError for no pair or a NaN.
    """
    count = len(differences)
    if count == 0 or not all(map(math.isfinite, differences)):
        raise ValueError(f"a sign-flip test needs finite differences, one or more; got {list(differences)}")
    if count == 1:
        return 1.0
    gaps = np.array(differences)
    as_large = np.abs(_signs(count) @ gaps) >= abs(gaps.sum()) - TIE * np.abs(gaps).sum()
    return float(as_large.mean() if count <= EXACT_UP_TO else (as_large.sum() + 1) / (DRAWS + 1))


@cache
def _signs(count: int) -> np.ndarray:
    """Sign patterns, float64 [patterns, count]: all of them, or drawn ones where these would be too many."""
    if count > EXACT_UP_TO:
        return np.random.default_rng(0).choice([-1.0, 1.0], (DRAWS, count))
    return 1.0 - 2.0 * (np.arange(2**count)[:, None] >> np.arange(count) & 1)


def least_p(pairs: int) -> float:
    """The smallest p that `sign_flip` can give for so many pairs."""
    return 2.0 ** (1 - pairs) if pairs <= EXACT_UP_TO else 1 / (DRAWS + 1)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's step-down adjustment (Holm 1979): family-wise p of each test, capped at 1, in the input's order.

    Equal to R's ``p.adjust(p, "holm")``. An adjusted p is never below the raw one and keeps the raw order.
    """
    adjusted: dict[str, float] = {}
    running = 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        running = max(running, (len(p_values) - rank) * p_values[name])
        adjusted[name] = min(1.0, running)
    return {name: adjusted[name] for name in p_values}


def differences(one: Mapping[Key, float], other: Mapping[Key, float]) -> list[float]:
    """`one` minus `other` on the seeds (or runs) that both have, by ascending seed."""
    return [one[seed] - other[seed] for seed in sorted(one.keys() & other.keys())]


def best_of(values: Mapping[str, Seeds]) -> str:
    """The method with the highest mean over its seeds; ties go to the first name."""
    return min(values, key=lambda name: (-mean(list(values[name].values())), name))


def not_below_best(values: Mapping[str, Seeds], alpha: float = ALPHA) -> set[str]:
    """The bold rule: the best mean and every method that is not significantly below it.

    `values`: method -> seed -> value. Each method is tested against the best on the seeds that both have
    (`sign_flip`), with Holm over the methods. Without a common seed nothing can be said, so the method stays.
    """
    if not values:
        return set()
    best = best_of(values)
    gaps = {name: differences(values[best], seeds) for name, seeds in values.items() if name != best}
    p_values = holm({name: sign_flip(gap) for name, gap in gaps.items() if gap})
    below = {name for name, p in p_values.items() if p < alpha and math.fsum(gaps[name]) > 0}
    return set(values) - below


def can_separate(values: Mapping[str, Seeds], alpha: float = ALPHA) -> bool:
    """Whether `not_below_best` could put any method below the best: false when there are too few seeds."""
    if not values:
        return False
    best = best_of(values)
    pairs = [len(seeds.keys() & values[best].keys()) for name, seeds in values.items() if name != best]
    pairs = [count for count in pairs if count]
    return any(len(pairs) * least_p(count) < alpha for count in pairs)


def gains_over(values: Mapping[str, Seeds], baseline: str) -> dict[str, tuple[float, float | None]]:
    """Mean paired gain over the baseline and its p: Holm over the methods, None below two common seeds.

    Methods without a seed in common with the baseline are left out, and so is the baseline.
    """
    if baseline not in values:
        return {}
    gaps = {name: differences(seeds, values[baseline]) for name, seeds in values.items() if name != baseline}
    p_values = holm({name: sign_flip(gap) for name, gap in gaps.items() if len(gap) > 1})
    return {name: (mean(gap), p_values.get(name)) for name, gap in gaps.items() if gap}
