"""How fast a quantity grows, and how fast it may. Pure numbers, so that it can be tested on made ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import linear_regression
from typing import Any

LIMITS = {"linear": 1.15, "sublinear": 1.0, "flat": 0.15}  # largest exponent of each kind of growth
FLOORS = {"seconds": 1e-3, "megabytes": 5.0}  # below these a number is noise and counts as this much
FEWEST = 3  # sizes that are fitted, where there are so many

Point = dict[str, Any]  # {"part", "n", "x", "seconds": {...}, "megabytes": {...}, ...}


@dataclass(frozen=True)
class Quantity:
    """One line of the table. unit: "seconds" or "megabytes"; growth: a key of LIMITS, how it may grow with x."""

    part: str
    name: str
    growth: str = "linear"
    unit: str = "seconds"


QUANTITIES = [
    *(Quantity("images", name) for name in ("open pack", "prepare noise30", "prepare imb50", "TrainingData",
                                            "begin(0)", "begin(1)")),
    Quantity("images", "step", "flat"),
    *(Quantity("images", name, unit="megabytes") for name in ("prepared", "training", "peak")),
    *(Quantity("classes", name, "sublinear") for name in ("prepare noise30", "prepare imb50", "step", "prediction")),
    Quantity("classes", "metrics"), Quantity("classes", "peak", unit="megabytes"),
    *(Quantity("size", name) for name in ("batch", "step", "prediction")), Quantity("size", "peak", unit="megabytes"),
    Quantity("pack", "all runs", "flat"), Quantity("pack", "peak", unit="megabytes"),
    *(Quantity("records", name) for name in ("read_records", "status", "table", "table, more sections",
                                             "table, more methods")),
    Quantity("records", "records held", unit="megabytes")]


def upper_half(count: int) -> int:
    """How many of ``count`` sizes, the largest, are fitted."""
    return min(count, max(FEWEST, math.ceil(count / 2)))


def exponent(sizes: Sequence[float], values: Sequence[float], floor: float = 0.0) -> float | None:
    """The slope of log(value) against log(size) over the upper half of the sizes; None for fewer than two sizes.

    1: linear, 2: quadratic. Values below ``floor`` count as the floor. Raises ValueError for what has no logarithm.
    """
    pairs = sorted(zip(sizes, values, strict=True))[-upper_half(len(sizes)):]
    if len({size for size, _ in pairs}) < 2:
        return None
    if any(size <= 0 or max(value, floor) <= 0 for size, value in pairs):
        raise ValueError(f"sizes and values must be above 0, found {pairs}")
    logs = [(math.log(size), math.log(max(value, floor))) for size, value in pairs]
    return linear_regression(*zip(*logs, strict=True)).slope


def verdict(quantity: Quantity, points: Sequence[Point]) -> dict[str, Any]:
    """A quantity's numbers, its exponent and whether that is allowed; ``ok`` is None where nothing can be said."""
    own = [p for p in points if p["part"] == quantity.part and quantity.name in p.get(quantity.unit, {})]
    values = [p[quantity.unit][quantity.name] for p in own]
    slope = exponent([p["x"] for p in own], values, FLOORS[quantity.unit])
    limit = LIMITS[quantity.growth]
    return {**asdict(quantity), "n": [p["n"] for p in own], "values": values, "exponent": slope, "limit": limit,
            "ok": None if slope is None else slope <= limit}


def verdicts(points: Sequence[Point]) -> list[dict[str, Any]]:
    """All quantities that were measured."""
    return [found for quantity in QUANTITIES if (found := verdict(quantity, points))["values"]]
