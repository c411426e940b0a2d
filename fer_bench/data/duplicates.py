"""Which faces look alike: a perceptual hash, and a search for all pairs that it says are one picture.

The hash is the usual DCT hash (pHash): the face as 32x32 grey values, of its cosine transform the 8x8 lowest
frequencies, each with a bit that says whether it is above their median. It does not see brightness, contrast,
compression or size; a mirrored or turned face is another one. But for ties half of the bits are 1: distances are even.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations

import numpy as np
from scipy.fft import dct
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SIDE, LOWEST = 32, 8
NEAR = 4  # bits of 64; docs/datasets.md says what the pairs of FERPlus-7 at each distance look like
MOST_EDGES = 1_000_000  # that wait to be joined: bounds the memory of Components


def perceptual_hashes(grey: np.ndarray) -> np.ndarray:
    """uint64 [N], a hash of every face; grey: float32 [N, H, W]. Means nothing for a face of one colour."""
    rows, columns = (_lowest_frequencies(side) for side in grey.shape[1:])
    # What is zero but for the arithmetic shall be zero.
    found = np.round(rows @ grey @ columns.T, 2).reshape(len(grey), LOWEST * LOWEST)
    bits = found > np.median(found, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8").ravel().astype(np.uint64)


@cache
def _lowest_frequencies(side: int) -> np.ndarray:
    """float32 [8, side]: means of ``side`` values over 32 parts, then the lowest frequencies of these."""
    edges = np.arange(SIDE + 1) * side / SIDE
    pixels = np.arange(side)
    shares = np.minimum(pixels + 1, edges[1:, None]) - np.maximum(pixels, edges[:-1, None])
    means = shares.clip(0) * SIDE / side
    transform = dct(np.eye(SIDE), axis=0, norm="ortho")[:LOWEST]
    found: np.ndarray = (transform @ means).astype(np.float32)
    return found


def near_pairs(hashes: np.ndarray, distance: int = NEAR) -> Iterator[np.ndarray]:
    """All pairs of hashes at most ``distance`` bits apart, each once, in blocks int64 [M, 2].

    Of distance + 2 parts of the bits such a pair differs in at most ``distance``, so two parts are equal: only hashes
    that share two parts are compared. Memory: a few times that of the hashes.
    """
    masks = _parts(distance + 2)
    for one, two in combinations(range(len(masks)), 2):
        key = hashes & (masks[one] | masks[two])
        order = np.argsort(key, kind="stable")
        key, sorted_, left, step = key[order], hashes[order], np.arange(len(key)), 1
        while len(left := left[: np.searchsorted(left, len(key) - step)]):
            left = left[key[left] == key[left + step]]
            differing = sorted_[left] ^ sorted_[left + step]
            near = np.bitwise_count(differing) <= distance
            for other in set(range(two)) - {one}:  # an equal part before these: the pair was found there
                near &= (differing & masks[other]) != 0
            if near.any():
                yield np.stack([order[left[near]], order[left[near] + step]], axis=1)
            step += 1


def _parts(count: int) -> list[np.uint64]:
    """64 bits as masks of ``count`` parts of nearly one size."""
    edges = [64 * i // count for i in range(count + 1)]
    return [np.uint64((1 << stop) - (1 << start)) for start, stop in zip(edges, edges[1:], strict=False)]


class Components:
    """Which of ``count`` things are joined, directly or by others between them (union-find)."""

    def __init__(self, count: int) -> None:
        self._first = np.arange(count)
        self._waiting: list[np.ndarray] = []

    def join(self, pairs: np.ndarray) -> None:
        """Join the two of every pair, int64 [M, 2]."""
        self._waiting.append(pairs)
        if sum(map(len, self._waiting)) > MOST_EDGES:
            self.first()

    def first(self) -> np.ndarray:
        """int64 [count]: the lowest number of the things that each is joined with; its own where it is alone."""
        count = len(self._first)
        edges = np.concatenate([np.stack([np.arange(count), self._first], axis=1), *self._waiting])
        graph = coo_array((np.ones(len(edges), bool), (edges[:, 0], edges[:, 1])), (count, count))
        component = connected_components(graph, directed=False)[1]
        self._first, self._waiting = np.unique(component, return_index=True)[1][component], []
        return self._first
