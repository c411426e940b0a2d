"""Some rows of stored images without a copy, so that a protocol costs no memory however large the dataset."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np


class Selection:
    """Rows of an image array; reads like the array of these rows. stored: uint8 [M, H, W] or [M, H, W, 3].

    rows: int64 [N]. Indexing gives a real array: ``selection[3]``, ``selection[10:20]``, ``selection[[1, 5]]``.
    """

    def __init__(self, stored: np.ndarray, rows: np.ndarray) -> None:
        self.stored, self.rows = stored, rows

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.rows), *self.stored.shape[1:])

    @property
    def ndim(self) -> int:
        return self.stored.ndim

    def __getitem__(self, key: Any) -> np.ndarray:
        found: np.ndarray = self.stored[self.rows[key]]
        return found

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self.stored[row] for row in self.rows)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.stored[self.rows], dtype=dtype)


Images = np.ndarray | Selection


def select(images: Images, rows: np.ndarray) -> Selection:
    """Rows of images or of a selection of images."""
    if isinstance(images, Selection):
        return Selection(images.stored, images.rows[rows])
    return Selection(images, rows)


def let_go(images: Images) -> None:
    """Give back the memory that holds parts of a memory-mapped array; its file keeps them, also what was written."""
    mapped = getattr(images, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)
