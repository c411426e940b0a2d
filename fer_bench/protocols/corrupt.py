"""Label noise and class imbalance as pure functions of (sample ids, labels, seed).

Each sample's uniform number is a hash of (purpose, seed, id), never a draw from a generator, so a corruption does not
depend on order, library version or platform: counts are exact, and 10 % of flips are among the 20 %.
"""

from __future__ import annotations

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


def imbalance_counts(counts: np.ndarray, profile: str, factor: float) -> np.ndarray:
    """How many samples of each class are kept, int64 [C], for class counts [C].

    Classes by falling frequency, i = 0 the largest. exponential: floor(n_max factor^(-i/(C-1))); step: n_max for the
    first half, floor(n_max / factor) for the rest (LDAM-DRW imbalance_cifar.py:17-31); capped by what there is.
    """
    order = np.argsort(-counts, kind="stable")
    classes, largest = len(counts), int(counts.max())
    kept = np.zeros(classes, dtype=np.int64)
    for place, label in enumerate(order):
        if profile == "exponential":
            wanted = largest * factor ** (-place / max(classes - 1, 1))
        else:
            wanted = largest if place < classes / 2 else largest / factor
        kept[label] = min(int(counts[label]), math.floor(wanted + 1e-9))
    return kept


def imbalanced_rows(
    ids: Sequence[str], labels: np.ndarray, num_classes: int, profile: str, factor: float, seed: int
) -> np.ndarray:
    """Rows to keep, ascending int64; a larger factor keeps a subset of what a smaller one keeps."""
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
