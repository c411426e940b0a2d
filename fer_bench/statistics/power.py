"""How many seeds it takes to see a gain, from the spread of paired differences in the records. Read it for `power`.

Of the seeds' differences d to the baseline: S, their variance; F, the variance that comes of the test faces, which more
seeds do not lessen. With n seeds a gain g is seen
- by the sign-flip test, about with the chance of a t test at the highest level below .05 / k that 2^n patterns allow (k
  methods: the first step of Holm's, the hardest);
- by the interval, about with the chance that the gain found, of variance S / n + F, lies beyond its half width, which
  is close to the root of t^2 (S that the seeds find) / n + 1.96^2 F, t of n - 1 degrees of freedom.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from fer_bench.errors import UserError
from fer_bench.statistics.compare import METRICS, Runs, find_label
from fer_bench.statistics.faces import by_seed, right_of
from fer_bench.statistics.intervals import Metric, differences, parts_of
from fer_bench.tables import stats
from fer_bench.tables.cells import value_of
from fer_bench.tables.model import Record
from fer_bench.tables.records import check_versions, dataset_of, natural, protocol_of

MOST = 1000  # seeds that are thought of
SURE = 0.8  # how surely the true spread lies in the range that is shown


@dataclass(frozen=True)
class Range:
    """Seeds needed if the spread is as found, and if it is as small or as large as the records leave open; None: more
    than ``MOST``."""

    likely: int | None
    least: int | None
    most: int | None


@dataclass(frozen=True)
class Needed:
    """What it takes under one protocol on one dataset, for one metric (overall or mean)."""

    dataset: str
    protocol: str
    metric: str
    methods: int  # whose spread was taken together
    seeds: int  # of the method that has the fewest
    spread: float  # standard deviation of the paired differences over seeds, a fraction
    sign_flip: Range
    interval: Range | None  # None: the test faces of the runs were not kept


def needed(records: Sequence[Record], asked: Sequence[str], baseline: str, gain: float, tests: int = 1,
           chance: float = 0.8) -> list[Needed]:
    """Seeds needed to see a gain over the baseline in each case that has two seeds or more of both.

    asked: labels or names of methods; all where there is none. gain, chance: fractions. tests: methods that are tested
    beside each other. Raises UserError for unknown names, mixed versions, no spread at all, a gain or chance out of
    bounds.
    """
    if not 0 < gain <= 1:
        raise UserError(f"--gain {100 * gain:g}: expected points of accuracy above 0, at most 100")
    if not 0.05 <= chance < 1:
        raise UserError(f"--chance {chance:g}: expected a fraction from 0.05 to below 1, such as 0.8")
    labels = {record["label"]: str(record["spec"]["method"]["name"]) for record in records}
    baseline = find_label(baseline, labels)
    wanted = {find_label(name, labels) for name in asked} - {baseline} or set(labels) - {baseline}
    kept = [record for record in records if record["label"] in wanted | {baseline}]
    check_versions(kept)
    cases: dict[tuple[str, str], dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in kept:
        cases[dataset_of(record), protocol_of(record)][record["label"]].append(record)
    found = []
    for key in sorted(cases, key=lambda key: [natural(name) for name in key]):
        own = by_seed(cases[key].pop(baseline, []))
        pairs = [_shared(by_seed(runs), own) for runs in cases[key].values()]
        pairs = [pair for pair in pairs if len(pair[0]) > 1]
        for metric in METRICS if pairs else ():
            found.append(_needed(key, metric, pairs, gain, tests, chance))
    if not found:
        raise UserError(f"power: no method has two seeds in common with {baseline}, so no spread is known; run "
                        "some with --seeds 3")
    return found


def _shared(one: Runs, other: Runs) -> tuple[Runs, Runs]:
    both = sorted(one.keys() & other.keys())
    return {seed: one[seed] for seed in both}, {seed: other[seed] for seed in both}


def _needed(key: tuple[str, str], metric: str, pairs: Sequence[tuple[Runs, Runs]], gain: float, tests: int,
            chance: float) -> Needed:
    variances, faces = [], []
    for one, other in pairs:
        gaps = [_mean(one[seed], metric) - _mean(other[seed], metric) for seed in one]
        variances.append(float(np.var(gaps, ddof=1)))
        first, second = right_of(one), right_of(other)
        if first and second:
            kind: Metric = "mean" if metric == "mean" else "overall"
            parts = parts_of(differences(first.right, second.right), first.labels, kind)
            faces.append(float(parts.faces.sum() - parts.rest.sum()))
    seeds, variance = min(len(one) for one, _ in pairs), float(np.mean(variances))
    fixed = max(float(np.mean(faces)), 0.0) if len(faces) == len(pairs) else None
    spreads = spread_range(math.sqrt(variance), seeds)
    flips = Range(*(sign_flip_seeds(gain, spread, tests, chance) for spread in spreads))
    ends = None if fixed is None else Range(*(interval_seeds(gain, spread, fixed, chance) for spread in spreads))
    return Needed(*key, metric, len(pairs), seeds, spreads[0], flips, ends)


def _mean(records: Sequence[Record], metric: str) -> float:
    return stats.mean([value for record in records if (value := value_of(record, "last", metric)) is not None])


def spread_range(spread: float, seeds: int) -> tuple[float, float, float]:
    """The spread, and between which two the true one lies with a chance of ``SURE``. As one method alone would tell it,
    however many there are, since all share the runs of the baseline."""
    from scipy.stats import chi2

    free = seeds - 1
    low, high = (spread * math.sqrt(free / float(chi2.ppf(tail, free))) for tail in ((1 + SURE) / 2, (1 - SURE) / 2))
    return spread, low, high


def sign_flip_seeds(gain: float, spread: float, tests: int, chance: float) -> int | None:
    """The fewest seeds with which the test sees the gain with that chance; None for more than ``MOST``."""
    from scipy.stats import nct, t

    seeds = np.arange(2, MOST + 1)
    levels = np.array([attained_level(int(count), stats.ALPHA / tests) for count in seeds])
    can = levels > 0
    if spread > 0:
        bound = t.isf(np.maximum(levels, 1e-12) / 2, seeds - 1)
        can &= nct.sf(bound, seeds - 1, np.sqrt(seeds) * gain / spread) >= chance
    return int(seeds[can.argmax()]) if can.any() else None


def attained_level(seeds: int, level: float) -> float:
    """How often the sign-flip test gives a p below the level by chance: less than that, since p has steps of 2^(1 - n)
    up to ``stats.EXACT_UP_TO`` seeds."""
    step = stats.least_p(seeds)
    return step * (math.ceil(level / step) - 1) if seeds <= stats.EXACT_UP_TO else level


def interval_seeds(gain: float, spread: float, faces: float, chance: float) -> int | None:
    """The fewest seeds with which the interval lies off 0 with that chance; None for more than ``MOST``. faces: the
    variance that comes of the test faces."""
    from scipy.stats import norm

    if faces + spread == 0:
        return 2
    quantiles, found = _found_spreads()
    seeds = np.arange(2, MOST + 1)[:, None]
    half = np.sqrt(quantiles**2 * found * spread**2 / seeds + float(norm.isf(0.025)) ** 2 * faces)
    can = norm.cdf((gain - half) / np.sqrt(spread**2 / seeds + faces)).mean(1) >= chance
    return int(seeds[can.argmax(), 0]) if can.any() else None


@cache
def _found_spreads() -> tuple[np.ndarray, np.ndarray]:
    """For 2 to ``MOST`` seeds: Student's quantile, float64 [M, 1], and which shares of the true variance they may find,
    each as likely, float64 [M, 50]."""
    from scipy.stats import chi2, t

    free = np.arange(1, MOST)[:, None]
    return t.isf(0.025, free), chi2.ppf((np.arange(50) + 0.5) / 50, free) / free
