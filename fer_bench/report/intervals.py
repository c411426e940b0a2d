"""The intervals of gains that the page draws: over seeds and test faces where it is known which faces were right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from fer_bench.data.pack import Pack
from fer_bench.report.packing import FINE
from fer_bench.statistics.intervals import Interval, Metric, gain_interval, seeds_interval
from fer_bench.tables.cells import by_seed, epoch_of, value_of
from fer_bench.tables.model import Record
from fer_bench.tables.records import unit_of
from fer_bench.tables.stats import differences

METRICS: tuple[Metric, ...] = ("overall", "mean")
KINDS = {  # whether faces are known, whether some pair has several seeds: what the page says of its lines
    (True, True): "95 % interval over seeds and test faces",
    (True, False): "95 % interval over test faces, of these networks: it does not say what other seeds would do",
    (False, True): "95 % interval over seeds",
}
Rows = Mapping[str, Sequence[Record]]
Right = Mapping[str, Mapping[int, np.ndarray]]  # row, seed: bool [N], which test faces are predicted as labelled
Intervals = dict[str, dict[str, dict[str, Interval]]]  # metric, baseline, method


def intervals(rows: Rows, baselines: Sequence[str], pack: Pack | None) -> Intervals:
    """Of the gains of a block's methods over some baselines, at the epoch that tables take (``auto``). pack: the data
    that its test predictions are of, if it is here."""
    bases, labels = [base for base in baselines if base in rows], None
    if pack is not None and all(epoch_of(run, "auto") == "last" for runs in rows.values() for run in runs):
        labels = pack.test.labels  # predictions are of the last epoch
    if labels is None:
        return {metric: {base: dict(over_seeds(rows, base, metric)) for base in bases} for metric in METRICS}
    right = {row: {unit_of(run)[0]: np.array(run["result"]["predictions"]) == labels for run in runs}
             for row, runs in rows.items()}
    return {metric: {base: dict(over_faces(right, base, labels, metric)) for base in bases} for metric in METRICS}


def over_faces(right: Right, base: str, labels: np.ndarray, metric: Metric) -> Iterator[tuple[str, Interval]]:
    """The interval of each method over seeds and test faces."""
    for row, own in right.items():
        seeds = sorted(own.keys() & right[base].keys())
        if row != base and seeds:
            one, other = (np.stack([runs[seed] for seed in seeds]) for runs in (own, right[base]))
            yield row, gain_interval(one, other, labels, metric)


def over_seeds(rows: Rows, base: str, metric: Metric) -> Iterator[tuple[str, Interval]]:
    """The interval of each method over seeds alone; none below two that it shares with the baseline."""
    seeds = by_seed({row: {unit_of(run): value for run in runs if (value := value_of(run, "auto", metric)) is not None}
                     for row, runs in rows.items()})
    for row, own in seeds.items():
        gaps = differences(own, seeds[base]) if base in seeds else []
        if row != base and len(gaps) > 1:
            yield row, seeds_interval(np.array(gaps))


def kind_of(found: Intervals) -> str:
    """What the intervals of a block are of; "" where there are none."""
    known = [one for bases in found.values() for own in bases.values() for one in own.values()]
    return KINDS[known[0].faces > 0, any(one.seeds > 1 for one in known)] if known else ""


def in_millionths(found: Intervals) -> dict[str, dict[str, dict[str, list[int]]]]:
    """Low and high end of each, as a payload holds them."""
    return {metric: {base: {row: [round(FINE * one.low), round(FINE * one.high)] for row, one in own.items()}
                     for base, own in bases.items()} for metric, bases in found.items()}
