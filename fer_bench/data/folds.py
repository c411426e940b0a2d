"""Test sets for datasets that have none: folds, stratified by class, whole subjects together where they are known.

A fold is a function of (ids, labels, subjects, seed) and of nothing else: not of the order of the faces, not of the
machine. (scikit-learn's StratifiedGroupKFold, which shuffles by numpy's frozen RandomState.)
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from fer_bench.data.pack import Pack, take
from fer_bench.errors import UserError

SUBJECT = "subject"  # the column of a pack that says whose face it is


@dataclass(frozen=True)
class Fold:
    """One of the ``of`` parts of a dataset, from 1, which is tested on while the others are trained on."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def fold_of(pack: Pack, folds: int, seed: int) -> np.ndarray:
    """The fold of every face, int64 [N], 0..folds-1. Raises UserError where a class or the subjects are too few."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold  # slow to import

    train = pack.train
    order = np.argsort(np.array(train.ids))
    labels, subjects = train.labels[order], train.columns.get(SUBJECT)
    groups = None if subjects is None else subjects[order]
    smallest = np.bincount(labels, minlength=len(pack.classes))
    people = folds if groups is None else min(len(set(groups[labels == c])) for c in range(len(pack.classes)))
    if min(smallest.min(), people) < folds:
        few = pack.classes[int(smallest.argmin())]
        raise UserError(f"--folds {folds}: class '{few}' of '{pack.name}' has {smallest.min()} faces"
                        + ("" if groups is None else f", some class faces of {people} people")
                        + f"; take --folds {max(2, min(int(smallest.min()), people))} or fewer")
    random = int.from_bytes(hashlib.sha256(f"folds {folds} {seed}".encode()).digest()[:4], "big")
    maker = StratifiedKFold if groups is None else StratifiedGroupKFold
    split = maker(folds, shuffle=True, random_state=random).split(np.zeros(len(labels)), labels, groups)
    found = np.zeros(len(labels), np.int64)
    for number, (_, test) in enumerate(split):
        found[order[test]] = number
    return found


def fold_pack(pack: Pack, fold: Fold, seed: int) -> Pack:
    """The pack with one fold as its test set. Raises UserError for a dataset that has an official one."""
    if fold.of < 2:
        raise UserError(f"--folds {fold.of}: one part leaves no faces to train on; expected 2 or more")
    if "test" in pack.splits:
        raise UserError(f"--folds {fold.of}: '{pack.name}' has an official test set; leave --folds out")
    own = fold_of(pack, fold.of, seed) == fold.number - 1
    parts = {"train": take(pack.train, np.flatnonzero(~own)), "test": take(pack.train, np.flatnonzero(own))}
    return replace(pack, splits={**pack.splits, **parts})


def whole_pack(pack: Pack) -> Pack:
    """The pack, if it has a test set. Raises UserError that names --folds if not."""
    if "test" not in pack.splits:
        raise UserError(f"dataset '{pack.name}' has no test set of its own: add --folds 5 (five runs, each tested on a "
                        "fifth that the others train on)")
    return pack
