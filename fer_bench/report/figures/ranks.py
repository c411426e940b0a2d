"""Critical-difference diagram: mean ranks over datasets and protocols, and which methods they do not tell apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from fer_bench.report.figures.style import name_of, panels
from fer_bench.report.figures.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Case = Mapping[str, float]  # label -> accuracy under one protocol on one dataset, mean over runs
ALPHA = 0.05
BAR = "#0072B2"


def figures(made: Sequence[Subject], inches: float) -> Iterator[tuple[str, Figure]]:
    """One diagram of all datasets and protocols that at least half of the methods have."""
    cases = complete([{label: fmean(own.values()) for label, own in subject.values(protocol, "mean").items()}
                      for subject in made for protocol in subject.protocols])
    if len(cases) > 1 and len(cases[0]) > 2:
        yield "ranks", drawn(mean_ranks(cases), critical_difference(len(cases[0]), len(cases)), len(cases), inches)


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


def drawn(ranks: Mapping[str, float], critical: float, cases: int, inches: float) -> Figure:
    """Methods from the best mean rank down; a bar beside them joins those that the ranks do not tell apart."""
    order = sorted(ranks, key=lambda label: (ranks[label], label))
    small = len(order) > 25
    figure, (axis,) = panels(inches, 1, 1, 0.85 + (0.115 if small else 0.16) * len(order))
    for place in range(0, len(order), 2):
        axis.axhspan(place - 0.5, place + 0.5, color="#f5f5f5", zorder=0, linewidth=0)
    axis.plot([ranks[label] for label in order], range(len(order)), "D", color="black", markersize=2.8, zorder=3)
    axis.set_yticks(range(len(order)), [name_of(label) for label in order], fontsize=6 if small else 7)
    axis.set_ylim(len(order) - 0.5, -2.2)
    axis.tick_params(axis="y", length=0)
    axis.grid(False)
    axis.grid(True, axis="x")
    _bars(axis, groups(ranks, critical), len(order))
    axis.plot([1, 1 + critical], [-1.2, -1.2], color=BAR, linewidth=1.2, marker="|", markersize=5,
              markeredgewidth=1.2)
    said = [f"mean rank in mean accuracy, {cases} cases (dataset, protocol)",
            f"blue: critical difference {critical:.1f} (Nemenyi, {ALPHA:g})", "bars join what it does not part"]
    figure.supxlabel("\n".join(said) if inches < 5 else f"{said[0]}\n{said[1]}; {said[2]}", fontsize=7)
    return figure


def _bars(axis: Axes, found: Sequence[tuple[int, int]], methods: int) -> None:
    """The bars at the right, in as many columns as keep bars that overlap apart."""
    from matplotlib.ticker import MaxNLocator

    columns: list[int] = []  # the last place of the latest bar of each
    step = 0.035 * methods
    for first, last in found:
        column = next((number for number, end in enumerate(columns) if end < first), len(columns))
        columns[column : column + 1] = [last]
        axis.plot([methods + (1 + column) * step] * 2, [first - 0.3, last + 0.3], color=BAR, linewidth=1.6,
                  solid_capstyle="butt")
    axis.set_xlim(0.5, methods + (1.5 + len(columns)) * step)
    ticks = [int(tick) for tick in MaxNLocator(6, integer=True).tick_values(1, methods) if 1 < tick <= methods]
    axis.set_xticks([1, *ticks])
