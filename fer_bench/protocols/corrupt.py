"""Label noise and class imbalance as pure functions of (sample ids, labels, seed).

Each sample's uniform number is a hash of (purpose, seed, id), never a draw from a generator, so a corruption does not
depend on order, library version or platform: counts are exact, and 10 % of flips are among the 20 %.
"""

from __future__ import annotations

import bisect
import hashlib
import math
from collections.abc import Sequence

import numpy as np


def uniform(purpose: str, seed: int, ids: Sequence[str]) -> np.ndarray:
    """One number in [0, 1) per id, float64 [N]: BLAKE2b-64 of "purpose|seed|id", top 53 bits."""
    numbers = (hashlib.blake2b(f"{purpose}|{seed}|{i}".encode(), digest_size=8).digest() for i in ids)
    return np.array([int.from_bytes(n, "big") >> 11 for n in numbers], dtype=np.float64) / 2.0**53


def smallest(numbers: np.ndarray, ids: Sequence[str], count: int) -> np.ndarray:
    """Rows of the ``count`` smallest numbers, int64, ascending by row; equal numbers are ordered by id."""
    order = np.lexsort((np.asarray(ids, dtype=str), numbers))
    return np.sort(order[:count])


def round_half_up(value: float) -> int:
    """The nearest integer; a half goes up, also one that binary fractions put a hair below (0.29 * 50)."""
    return math.floor(value + 0.5 + 1e-9)


def symmetric_noise(ids: Sequence[str], labels: np.ndarray, num_classes: int, rate: float, seed: int) -> np.ndarray:
    """Labels with exactly round(rate N) of them flipped, each to another class chosen uniformly. int64 [N]."""
    noisy = labels.copy()
    rows = smallest(uniform("noise", seed, ids), ids, round_half_up(rate * len(labels)))
    where = uniform("noise-class", seed, [ids[r] for r in rows.tolist()])
    step = np.floor(where * (num_classes - 1)).astype(np.int64) + 1
    noisy[rows] = (labels[rows] + step) % num_classes
    return noisy


def confusion_noise(ids: Sequence[str], labels: np.ndarray, target: np.ndarray, rate: float, seed: int) -> np.ndarray:
    """Labels with round(rate N) of them changed to ``target[label]``; N counts the samples whose class has a target.

    target: int64 [C], the class that each is mistaken for, or itself when it is never mistaken.
    """
    noisy = labels.copy()
    open_rows = np.flatnonzero(target[labels] != labels)
    names = [ids[r] for r in open_rows.tolist()]
    chosen = smallest(uniform("noise", seed, names), names, round_half_up(rate * len(open_rows)))
    rows = open_rows[chosen]
    noisy[rows] = target[labels[rows]]
    return noisy


def shares(profile: str, classes: int, factor: float, head: int) -> list[int]:
    """How many samples a profile asks of each class, the largest first, for a largest class of ``head`` samples.

    exponential: floor(head factor^(-i/(C-1))) of the i-th; step: ``head`` of the first half of the classes,
    floor(head / factor) of the others (LDAM-DRW imbalance_cifar.py:17-31, where i = 0 is the largest class too).
    """
    if profile == "step":
        wanted = [head if place < classes / 2 else head / factor for place in range(classes)]
    else:
        wanted = [head * factor ** (-place / max(classes - 1, 1)) for place in range(classes)]
    return [math.floor(number + 1e-9) for number in wanted]


def imbalance_head(counts: np.ndarray, profile: str, factor: float) -> int:
    """How many of the largest class are kept, for class counts int64 [C].

    All of them where the smallest class has its share of that: then largest / smallest is the factor, and a class in
    between that has less than its share keeps all it has. Otherwise the head shrinks, since the tail cannot grow: to
    factor times the smallest class, rounded up, of the largest head for which every class has its share.
    """
    most = sorted(counts.tolist(), reverse=True)
    if shares(profile, len(most), factor, most[0])[-1] <= most[-1]:
        return int(most[0])
    head = bisect.bisect_left(range(1, most[0] + 1), True, key=lambda head: not _fits(most, profile, factor, head))
    tail = shares(profile, len(most), factor, head)[-1]
    return math.ceil(factor * tail - 1e-9) if tail else head


def _fits(most: list[int], profile: str, factor: float, head: int) -> bool:
    """Whether classes of these sizes, the largest first, have what a profile asks of them."""
    return all(share <= there for share, there in zip(shares(profile, len(most), factor, head), most, strict=True))


def imbalance_counts(counts: np.ndarray, profile: str, factor: float) -> np.ndarray:
    """How many samples of each class are kept, int64 [C], for class counts [C]; classes by falling frequency."""
    kept = np.zeros(len(counts), dtype=np.int64)
    head = imbalance_head(counts, profile, factor)
    kept[np.argsort(-counts, kind="stable")] = shares(profile, len(counts), factor, head)
    found: np.ndarray = np.minimum(kept, counts)
    return found


def reachable_factors(counts: np.ndarray, profile: str) -> list[tuple[int, int]]:
    """The whole factors that leave every class a sample, as (first, last) of one range or two; none for an empty class.

    With a shrunk head these are all up to one (a head of as many samples as the factor leaves one of the smallest
    class), without shrinking all from another to the size of the largest class.
    """
    most = sorted(counts.tolist(), reverse=True)
    if not most[-1]:
        return []
    factors = range(1, most[0] + 1)
    low = bisect.bisect_left(factors, True, key=lambda factor: not _fits(most, profile, factor, factor))
    high = bisect.bisect_left(factors, True, key=lambda f: shares(profile, len(most), f, most[0])[-1] <= most[-1]) + 1
    return [(1, most[0])] if high <= low + 1 else [(1, low), (high, most[0])]


def imbalanced_rows(
    ids: Sequence[str], labels: np.ndarray, num_classes: int, profile: str, factor: float, seed: int
) -> np.ndarray:
    """Rows to keep, ascending int64. Of each class the ones with the smallest numbers, so of two factors one keeps a
    subset of the other's, class by class; a larger factor keeps a subset of a smaller one's as long as neither head
    is shrunk."""
    counts = np.bincount(labels, minlength=num_classes)
    kept = imbalance_counts(counts, profile, factor)
    numbers, rows = uniform("imbalance", seed, ids), []
    for label in range(num_classes):
        members = np.flatnonzero(labels == label)
        names = [ids[m] for m in members.tolist()]
        rows.append(members[smallest(numbers[members], names, int(kept[label]))])
    return np.sort(np.concatenate(rows))


def held_out_rows(ids: Sequence[str], share: float, seed: int) -> np.ndarray:
    """Rows of the validation set, ascending int64: exactly round(share N) of them."""
    return smallest(uniform("validation", seed, ids), ids, round_half_up(share * len(ids)))
