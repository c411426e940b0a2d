"""Copies of faces within and across the splits of a pack, byte for byte or nearly, and whether their labels agree."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from fer_bench.data.duplicates import Components, near_pairs
from fer_bench.data.looks import Looks

NONE = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Repeats:
    """Byte-identical faces. faces: images of ``second`` whose pixels occur in ``first`` too (within one
    split: images whose pixels came before in it). other_label: those of them with a label that differs."""

    first: str
    second: str
    faces: int
    other_label: int


@dataclass(frozen=True)
class Near:
    """Near-identical faces. faces: images of ``second`` that look like one of ``first`` with other pixels.
    other_label: those with another label than one of these. alone: those whose own pixels do not occur in ``first``
    (within one split: not a second time)."""

    first: str
    second: str
    faces: int
    other_label: int
    alone: int


@dataclass(frozen=True)
class Copies:
    """What there is of both. groups: rows of faces that are one picture, int64 [M] each; ``same`` by their bytes,
    ``alike`` by their hashes, directly or by others between them. The first are those of several splits, then those
    whose labels differ, then the largest."""

    identical: list[Repeats]
    near: list[Near]
    same: list[np.ndarray]
    alike: list[np.ndarray]


@dataclass(frozen=True)
class _Faces:
    """Faces without those of one colour. rows: their numbers among all. content: 0..K-1."""

    rows: np.ndarray
    split: np.ndarray
    labels: np.ndarray
    content: np.ndarray
    hashes: np.ndarray  # of each content

    @property
    def contents(self) -> int:
        return len(self.hashes)


@dataclass(frozen=True)
class _Labels:
    """The lowest and highest label of the faces of one split by content, int64 [K]; NONE and -1 where it has none."""

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def empty(cls, contents: int) -> _Labels:
        return cls(np.full(contents, NONE), np.full(contents, -1))

    def add(self, content: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
        np.minimum.at(self.low, content, low)
        np.maximum.at(self.high, content, high)

    def there(self, content: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.high[content] >= 0
        return found

    def differ(self, content: np.ndarray, labels: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.there(content) & ((self.low[content] != labels) | (self.high[content] != labels))
        return found


def find_copies(looks: Looks, split: np.ndarray, labels: np.ndarray, names: list[str]) -> Copies:
    """All copies among N faces. split: int64 [N], positions in ``names``. Faces of one colour are no copies."""
    rows = np.flatnonzero(~looks.plain)
    _, first, content = np.unique(looks.content[rows], return_index=True, return_inverse=True)
    faces = _Faces(rows, split[rows], labels[rows], content, looks.hashes[rows[first]])
    own = [_Labels.empty(faces.contents) for _ in names]
    for number, table in enumerate(own):
        here = faces.split == number
        table.add(content[here], faces.labels[here], faces.labels[here])
    around, component = _neighbours(faces, own)
    pairs = list(combinations_with_replacement(range(len(names)), 2))
    pairs.sort(key=lambda pair: pair[0] != pair[1])
    identical = [_within(faces, names, one) if one == two else _across(faces, own, names, one, two)
                 for one, two in pairs]
    near = [_near(faces, own, around, names, one, two) for one, two in pairs]
    return Copies(identical, near, _groups(faces, np.arange(faces.contents)), _groups(faces, component, several=True))


def _neighbours(faces: _Faces, own: list[_Labels]) -> tuple[list[_Labels], np.ndarray]:
    """By split, the labels of a content's near ones; and the component of each content."""
    around = [_Labels.empty(faces.contents) for _ in own]
    components = Components(faces.contents)
    for pairs in near_pairs(faces.hashes):
        components.join(pairs)
        for here, there in (pairs.T, pairs[:, ::-1].T):
            for table, source in zip(around, own, strict=True):
                table.add(here, source.low[there], source.high[there])
    return around, components.first()


def _within(faces: _Faces, names: list[str], number: int) -> Repeats:
    here = faces.split == number
    labels, content = faces.labels[here], faces.content[here]
    _, first, inverse = np.unique(content, return_index=True, return_inverse=True)
    other = labels != labels[first[inverse]]
    return Repeats(names[number], names[number], len(content) - len(first), int(other.sum()))


def _across(faces: _Faces, own: list[_Labels], names: list[str], first: int, second: int) -> Repeats:
    here = faces.split == second
    labels, content = faces.labels[here], faces.content[here]
    both, other = own[first].there(content), own[first].differ(content, labels)
    return Repeats(names[first], names[second], int(both.sum()), int(other.sum()))


def _near(faces: _Faces, own: list[_Labels], around: list[_Labels], names: list[str], first: int,
          second: int) -> Near:
    here = faces.split == second
    labels, content = faces.labels[here], faces.content[here]
    near, other = around[first].there(content), around[first].differ(content, labels)
    copies = own[first].there(content)
    if first == second:
        copies = np.bincount(content, minlength=faces.contents)[content] > 1
    return Near(names[first], names[second], int(near.sum()), int(other.sum()), int((near & ~copies).sum()))


def _groups(faces: _Faces, component: np.ndarray, several: bool = False) -> list[np.ndarray]:
    """Faces by the component of their content, where there are two or more (several: two or more contents)."""
    member = component[faces.content]
    size = np.bincount(component if several else member, minlength=faces.contents)
    chosen = np.flatnonzero(size[member] > 1)
    chosen = chosen[np.argsort(member[chosen], kind="stable")]
    starts = np.flatnonzero(np.diff(member[chosen])) + 1
    groups = np.split(chosen, starts) if len(chosen) else []

    def order(group: np.ndarray) -> tuple[bool, bool, int]:
        splits, labels = faces.split[group], faces.labels[group]
        return bool((splits == splits[0]).all()), bool((labels == labels[0]).all()), -len(group)

    return [faces.rows[group] for group in sorted(groups, key=order)]
