"""Mean ranks over datasets and protocols, and which methods they do not tell apart: of the page and of the figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from fer_bench.report.payload import Ranks
from fer_bench.tables.cells import value_of
from fer_bench.tables.model import Record

Case = Mapping[str, float]  # label -> accuracy under one protocol on one dataset, mean over runs
Setting = Mapping[str, Mapping[str, Sequence[Record]]]  # protocol, method, runs
ALPHA = 0.05


def complete(cases: Sequence[Case]) -> list[dict[str, float]]:
    """The cases that at least half of the methods have, with the methods that all of them have."""
    labels = {label for case in cases for label in case}
    common = [case for case in cases if 2 * len(case) >= len(labels)]
    everywhere = sorted(label for label in labels if all(label in case for case in common))
    return [{label: case[label] for label in everywhere} for case in common]


def mean_ranks(cases: Sequence[Case]) -> dict[str, float]:
    """label -> mean rank over cases, 1 for the highest accuracy; equal ones share the mean of their ranks."""
    from scipy.stats import rankdata

    labels = list(cases[0])
    ranks = [rankdata([-case[label] for label in labels]) for case in cases]
    return {label: float(fmean(one[place] for one in ranks)) for place, label in enumerate(labels)}


def critical_difference(methods: int, cases: int, alpha: float = ALPHA) -> float:
    """How far mean ranks must lie apart to differ (Nemenyi 1963, as in Demsar 2006): q sqrt(k (k + 1) / 6 N)."""
    from scipy.stats import studentized_range

    q = float(studentized_range.isf(alpha, methods, math.inf)) / math.sqrt(2)
    return q * math.sqrt(methods * (methods + 1) / (6 * cases))


def groups(ranks: Mapping[str, float], critical: float) -> list[tuple[int, int]]:
    """First and last place, by rank, of each largest group whose ranks do not lie apart."""
    values = sorted(ranks.values())
    found: list[tuple[int, int]] = []
    for first, value in enumerate(values):
        last = max(place for place, other in enumerate(values) if other - value < critical)
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found


def friedman(cases: Sequence[Case]) -> float:
    """p of the hypothesis that all methods rank alike (Friedman 1937); three methods and two cases, or more."""
    from scipy.stats import friedmanchisquare

    columns = [[case[label] for case in cases] for label in cases[0]]
    if all(column == columns[0] for column in columns):
        return 1.0  # all methods tie everywhere, where scipy divides by zero
    return float(friedmanchisquare(*columns).pvalue)


def diagrams(settings: Sequence[Setting]) -> Iterator[Ranks]:
    """Those of each setting over its protocols, and one over all settings where there are several."""
    several: list[tuple[int | None, Sequence[Setting]]] = [(None, settings)] if len(settings) > 1 else []
    for number, some in [*((place, [setting]) for place, setting in enumerate(settings)), *several]:
        for metric in ("overall", "mean"):
            cases = complete([accuracies(rows, metric) for setting in some for rows in setting.values()])
            if len(cases) > 1 and len(cases[0]) > 2:
                ranks, critical = mean_ranks(cases), critical_difference(len(cases[0]), len(cases))
                order = sorted(ranks, key=lambda label: (ranks[label], label))
                yield Ranks(number, metric, len(cases), order, [round(ranks[label], 4) for label in order],
                            round(critical, 4), round(friedman(cases), 6), groups(ranks, critical))


def accuracies(rows: Mapping[str, Sequence[Record]], metric: str) -> Case:
    """Mean accuracy over runs of each method, at the epoch that tables take."""
    found = {row: [value for run in runs if (value := value_of(run, "auto", metric)) is not None]
             for row, runs in rows.items()}
    return {row: fmean(values) for row, values in found.items() if values}
