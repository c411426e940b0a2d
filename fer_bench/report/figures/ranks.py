"""Critical-difference diagram: mean ranks over datasets and protocols, and which methods they do not tell apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from fer_bench.report.figures.style import name_of, panels
from fer_bench.report.figures.subject import Subject
from fer_bench.report.ranking import ALPHA, complete, critical_difference, groups, mean_ranks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BAR = "#0072B2"


def figures(made: Sequence[Subject], inches: float) -> Iterator[tuple[str, Figure]]:
    """One diagram of all datasets and protocols that at least half of the methods have."""
    cases = complete([{label: fmean(own.values()) for label, own in subject.values(protocol, "mean").items()}
                      for subject in made for protocol in subject.protocols])
    if len(cases) > 1 and len(cases[0]) > 2:
        yield "ranks", drawn(mean_ranks(cases), critical_difference(len(cases[0]), len(cases)), len(cases), inches)


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
