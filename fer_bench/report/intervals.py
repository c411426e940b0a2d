"""The interval of a gain that the page draws. The one place to change when intervals shall be of another kind."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache

from fer_bench.tables.cells import by_seed, value_of
from fer_bench.tables.model import Record
from fer_bench.tables.records import unit_of
from fer_bench.tables.stats import differences, mean, std

ABOUT = "95 % interval over seeds (paired t, each method for itself)"
METRICS = ("overall", "mean")
Rows = Mapping[str, Sequence[Record]]
Intervals = dict[str, dict[str, dict[str, tuple[float, float]]]]  # metric, baseline, method: low, high as fractions


def intervals(rows: Rows) -> Intervals:
    """Of the gain of every method of a block over every other one, at the epoch that tables take (``auto``)."""
    found: Intervals = {}
    for metric in METRICS:
        values = {row: {unit_of(run): value for run in runs if (value := value_of(run, "auto", metric)) is not None}
                  for row, runs in rows.items()}
        seeds = by_seed(values)
        found[metric] = {base: {row: interval for row, own in seeds.items()
                                if row != base and (interval := of_gain(own, seeds[base]))} for base in seeds}
    return found


def in_millionths(found: Intervals) -> dict[str, dict[str, dict[str, list[int]]]]:
    """The same as a payload holds it."""
    return {metric: {base: {row: [round(1_000_000 * end) for end in ends] for row, ends in own.items()}
                     for base, own in bases.items()} for metric, bases in found.items()}


def of_gain(mine: Mapping[int, float], its: Mapping[int, float]) -> tuple[float, float] | None:
    """Low and high end for the mean of the paired differences; None below two seeds that both have."""
    gaps = differences(mine, its)
    spread = std(gaps)
    if spread is None:
        return None
    half = quantile(len(gaps) - 1) * spread / math.sqrt(len(gaps))
    return mean(gaps) - half, mean(gaps) + half


@cache
def quantile(freedom: int) -> float:
    """The .975 quantile of Student's t."""
    from scipy.stats import t

    return float(t.ppf(0.975, freedom))
