"""Ranks of methods over datasets and protocols: Friedman's test, Nemenyi's critical difference, as plain data.

As Demsar lays out (Statistical comparisons of classifiers over multiple data sets, JMLR 7, 2006). A case is one dataset
under one protocol; each counts once, however many seeds it was run with.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fer_bench.tables.cells import value_of
from fer_bench.tables.model import Record
from fer_bench.tables.records import dataset_of, protocol_of
from fer_bench.tables.stats import mean

ALPHA = 0.05
Case = Mapping[str, float]  # label -> accuracy of one case


@dataclass(frozen=True)
class Ranking:
    """What a critical-difference diagram shows."""

    ranks: dict[str, float]  # label -> average rank, best (1) first
    cases: int
    statistic: float  # Friedman's chi-squared, corrected for ties
    p: float  # that all methods are alike
    critical: float  # average ranks must lie this far apart to differ at ``alpha``
    cliques: tuple[tuple[str, ...], ...]  # largest groups of neighbours within that, best first
    alpha: float = ALPHA


def rank_methods(cases: Sequence[Case], alpha: float = ALPHA) -> Ranking:
    """Ranks over the cases, highest accuracy first; equal ones share the mean of their ranks.

    Every case must have the same labels, three or more, and there must be two cases or more; ValueError otherwise
    (`complete` makes such). Where p is not below alpha, the methods are one clique whatever the ranks are.
    """
    from scipy.stats import friedmanchisquare, rankdata

    labels = sorted(cases[0]) if cases else []
    if len(cases) < 2 or len(labels) < 3 or any(sorted(case) != labels for case in cases):
        raise ValueError("ranks need two cases or more that have the same methods, three or more")
    values = np.array([[case[label] for label in labels] for case in cases])
    means = rankdata(-values, axis=1).mean(0)
    ranks = {labels[place]: float(means[place]) for place in np.lexsort((np.arange(len(labels)), means))}
    alike = bool((values == values[:, :1]).all())  # scipy divides 0 by 0 there
    statistic, p = (0.0, 1.0) if alike else map(float, friedmanchisquare(*values.T))
    critical = critical_difference(len(labels), len(cases), alpha)
    groups = cliques(ranks, critical) if p < alpha else (tuple(ranks),)
    return Ranking(ranks, len(cases), statistic, p, critical, groups, alpha)


def critical_difference(methods: int, cases: int, alpha: float = ALPHA) -> float:
    """Nemenyi's (1963): q sqrt(k (k + 1) / (6 N)), q of the studentised range of k methods / sqrt(2)."""
    from scipy.stats import studentized_range

    q = float(studentized_range.isf(alpha, methods, math.inf)) / math.sqrt(2)
    return q * math.sqrt(methods * (methods + 1) / (6 * cases))


def cliques(ranks: Mapping[str, float], critical: float) -> tuple[tuple[str, ...], ...]:
    """The largest groups of two or more methods whose average ranks lie less than ``critical`` apart, best first."""
    order = sorted(ranks, key=lambda label: (ranks[label], label))
    found: list[tuple[str, ...]] = []
    end = 0  # where the latest group ends
    for first, label in enumerate(order):
        last = max(place for place, other in enumerate(order) if ranks[other] - ranks[label] < critical)
        if last > first and last > end:
            found.append(tuple(order[first : last + 1]))
            end = last
    return tuple(found)


def cases_of(records: Sequence[Record], metric: str = "mean", select: str = "auto") -> list[dict[str, float]]:
    """The cases of some records: label -> accuracy, the mean over seeds and folds. metric, select: as in tables."""
    found: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        if (value := value_of(record, select, metric)) is not None:
            found[dataset_of(record), protocol_of(record)][record["label"]].append(value)
    return [{label: mean(values) for label, values in sorted(found[key].items())} for key in sorted(found)]


def complete(cases: Sequence[Case]) -> list[dict[str, float]]:
    """The cases that at least half of the methods have, with the methods that all of these have."""
    labels = {label for case in cases for label in case}
    common = [case for case in cases if 2 * len(case) >= len(labels)]
    everywhere = sorted(label for label in labels if all(label in case for case in common))
    return [{label: case[label] for label in everywhere} for case in common]
