"""The one form that images of a dataset are brought to, and what of them is odd: counted from their headers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from fer_bench.data.decode import Header
from fer_bench.data.selection import let_go

DEFAULT_SIZE = 112  # pixels a side, for images of several sizes
SMALL = 8  # a side below that holds no face
DARKEST = 4095 >> 8  # of 255: what 12 bits in a container of 16 become
COMMON = 0.9  # of all images: where so many have one size, the others are named
ODD = {
    "turned": "turned upright, as their EXIF data says",
    "frames": "of several frames, of which the first is taken",
    "deep": "of 16 bits or more a pixel, brought to 8 bits (docs/datasets.md)",
    "edge": "whose face's box reaches over the edge, so that what lies inside is taken",
    "small": f"with a side under {SMALL} pixels",
}


def first_names(names: Sequence[str]) -> str:
    """The first five names, for an error."""
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")


class Forms:
    """Counts of sizes and oddities with their first names, so that memory does not grow with the images."""

    def __init__(self) -> None:
        self.sizes: Counter[tuple[int, int]] = Counter()
        self.grey, self.count = True, 0
        self.names: dict[tuple[int, int], list[str]] = {}
        self.odd: Counter[str] = Counter()
        self.odd_names: dict[str, list[str]] = defaultdict(list)
        self.deep: list[tuple[int, str]] = []  # rows and names of images of 16 bits or more

    def add(self, name: str, header: Header) -> None:
        """Count one image."""
        if "deep" in header.odd:
            self.deep.append((self.count, name))
        self.count += 1
        self.sizes[header.size] += 1
        self.grey &= header.grey
        _keep(self.names.setdefault(header.size, []), name)
        for odd in (*header.odd, *(["small"] if min(header.size) < SMALL else [])):
            self.odd[odd] += 1
            _keep(self.odd_names[odd], name)

    def side(self, size: int | None) -> tuple[int, int]:
        """(width, height) of the pack. size: what was asked for, or None."""
        if size is not None:
            return size, size
        return next(iter(self.sizes)) if len(self.sizes) == 1 else (DEFAULT_SIZE, DEFAULT_SIZE)

    def notes(self, size: int | None) -> Iterable[str]:
        """What a user should know."""
        if size is None and len(self.sizes) > 1:
            side = f"{DEFAULT_SIZE}x{DEFAULT_SIZE}"
            yield f"images of {len(self.sizes)} sizes resized to {side} (bilinear){self._rare()}"
        for odd, what in ODD.items():
            if self.odd[odd]:
                yield f"{_count(self.odd[odd])} {what}: {first_names(self.odd_names[odd])}"

    def dark(self, decoded: np.ndarray) -> Iterable[str]:
        """What a user should know of deep images once decoded, uint8 [N, ...]: those that use 12 of 16 bits."""
        dark = []
        for number, (row, name) in enumerate(self.deep):
            if number % 4096 == 0:
                let_go(decoded)
            if decoded[row].max() <= DARKEST:
                dark.append(name)
        if dark:
            yield (f"{_count(len(dark))} of 16 bits with no value over 4095, as cameras of 12 bits write them: nearly "
                   f"black here; multiply by 16, or save as 8 bits (docs/datasets.md): {first_names(dark)}")

    def _rare(self) -> str:
        """The common size, and the names of images that have another, where there is a common one."""
        (common, count), *rest = self.sizes.most_common()
        if count < COMMON * self.sizes.total():
            return ""
        others = [f"{self.sizes[size]:,} of {size[0]}x{size[1]}: {first_names(self.names[size])}" for size, _ in rest]
        more = f"; and {len(others) - 3} more sizes" if len(others) > 3 else ""
        return f": {count:,} of {common[0]}x{common[1]}; " + "; ".join(others[:3]) + more


def _count(number: int) -> str:
    return f"{number:,} image{'s' * (number != 1)}"


def _keep(names: list[str], name: str) -> None:
    """One name more than are shown, so that it is known whether there are more."""
    if len(names) < 6:
        names.append(name)
