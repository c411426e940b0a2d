"""What a pack holds and what is odd about it: `run_bench.py data check`. ``Check`` says what is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fer_bench.data import official
from fer_bench.data.agreement import ambiguity
from fer_bench.data.copies import Copies, Repeats, find_copies
from fer_bench.data.looks import Looks, look, outliers
from fer_bench.data.pack import SPLITS, Pack


@dataclass(frozen=True)
class Check:
    """What ``check`` measures, of the N faces of all splits, one split after the other.

    counts: images per class by split; official: the published ones, where they are known. imbalance: largest over
    smallest class of the training set. split: int64 [N], positions in ``names``. labels: int64 [N]. votes: float32
    [N, C], zeros where a split has none, or None.
    """

    pack: Pack
    counts: dict[str, list[int]]
    official: dict[str, tuple[int, ...]]
    imbalance: float
    split: np.ndarray
    labels: np.ndarray
    votes: np.ndarray | None
    looks: Looks
    copies: Copies

    @property
    def names(self) -> list[str]:
        """The splits that are there, in order."""
        return list(self.counts)

    @property
    def repeats(self) -> list[Repeats]:
        """Byte-identical faces, those of one colour left out."""
        return self.copies.identical

    @property
    def absent(self) -> dict[str, list[str]]:
        """Classes without a face, by split; splits that lack none are left out."""
        lacking = {name: [self.pack.classes[c] for c, count in enumerate(counts) if not count]
                   for name, counts in self.counts.items()}
        return {name: classes for name, classes in lacking.items() if classes}

    @property
    def black(self) -> dict[str, int]:
        """Images whose pixels are all zero, by split."""
        return self.by_split(self.looks.plain & (self.looks.brightness == 0))

    @cached_property
    def ambiguity(self) -> np.ndarray:
        """float64 [N], entropy of the votes; -1 without."""
        return np.full(len(self.labels), -1.0) if self.votes is None else ambiguity(self.votes)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The name of every face, N."""
        return tuple(name for split in self.names for name in self.pack.splits[split].ids)

    def by_split(self, which: np.ndarray) -> dict[str, int]:
        """How many of the faces, bool [N], are in each split."""
        return {name: int(which[self.split == number].sum()) for number, name in enumerate(self.names)}

    def most_ambiguous(self, label: int, most: int) -> np.ndarray:
        """int64 [M], rows of the faces of a class whose votes have the highest entropy, the highest first."""
        rows = np.flatnonzero((self.labels == label) & (self.ambiguity > 0))
        return rows[np.argsort(-self.ambiguity[rows], kind="stable")][:most]

    def outliers(self, values: np.ndarray) -> np.ndarray:
        """int64 [M], rows of the faces whose brightness or contrast, float64 [N], is far from most, the farthest first.
        Faces of one colour are left out: they are named anyway."""
        rows = np.flatnonzero(~self.looks.plain)
        found: np.ndarray = rows[outliers(values[rows])]
        return found

    def pixels(self, row: int) -> np.ndarray:
        """One face, uint8 [H, W] or [H, W, 3]."""
        for name in self.names:
            split = self.pack.splits[name]
            if row < len(split):
                return np.asarray(split.images[row])
            row -= len(split)
        raise IndexError(row)


def check(pack: Pack, say: Callable[[str], None] = lambda line: None) -> Check:
    """Count and compare; reads every pixel of the pack once, a few hundred faces at a time."""
    names = [name for name in SPLITS if name in pack.splits]
    parts = [pack.splits[name] for name in names]
    counts = {name: np.bincount(part.labels, minlength=len(pack.classes)).tolist()
              for name, part in zip(names, parts, strict=True)}
    split = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    votes = None
    if any(part.votes is not None for part in parts):
        none = [np.zeros((len(part), len(pack.classes)), np.float32) for part in parts]
        votes = np.concatenate([zero if part.votes is None else part.votes
                                for part, zero in zip(parts, none, strict=True)])
    looks = look(pack, names, say)
    largest, smallest = max(counts["train"]), min(counts["train"])
    imbalance = largest / smallest if smallest else float("inf")
    return Check(pack, counts, official.PER_CLASS.get(pack.name, {}), imbalance, split, labels, votes, looks,
                 find_copies(looks, split, labels, names))
