"""Boxes of faces, as lists and tables write them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fer_bench.data.adapter import Box
from fer_bench.errors import UserError

FARTHEST = 2**31  # pixels from the image's corner; no image has so many a side
SIZED = ("x", "y", "width", "height")
CORNERS = ("left", "top", "right", "bottom")


def box_of(cells: Sequence[str], order: Sequence[str], place: str) -> Box:
    """(left, top, right, bottom) in whole pixels, fractions cut off. cells: four numbers as written. order: what they
    are, SIZED or CORNERS or the latter in another order. Raises UserError for what is no number (infinite, NaN), is
    farther than any image, or holds no pixel."""
    try:
        at = dict(zip(order, map(_whole, cells), strict=True))
    except ValueError:
        at = dict.fromkeys(order, 0)
    if "width" in at:
        left, top, right, bottom = at["x"], at["y"], at["x"] + at["width"], at["y"] + at["height"]
    else:
        left, top, right, bottom = (at[name] for name in CORNERS)
    if left < right and top < bottom:
        return left, top, right, bottom
    raise UserError(f"{place}: face box '{','.join(cells)[:60]}', expected {', '.join(order)} of a box that is not "
                    "empty, in pixels; mend that line")


def _whole(cell: str) -> int:
    number = float(cell)
    if not math.isfinite(number) or abs(number) >= FARTHEST:
        raise ValueError
    return int(number)
