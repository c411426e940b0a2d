"""What is bought with what: overall against mean accuracy, and accuracy against forward passes."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean
from typing import TYPE_CHECKING, Any

from fer_bench.report.figures.style import REST, across, legend, name_of, panels
from fer_bench.report.figures.subject import Subject
from fer_bench.tables.cells import passes_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Points = dict[str, tuple[float, float]]  # label -> x, y, means over runs
PASSES = "forward passes for each training face"


def figures(subject: Subject, inches: float) -> Iterator[tuple[str, Figure]]:
    """One panel for each protocol."""
    if subject.uneven:
        sides = {name: accuracies(subject, name) for name in subject.protocols}
        yield "overall-against-mean", drawn(subject, sides, inches, "overall accuracy, %", "mean accuracy, %")
    costs = {name: points for name in subject.protocols if (points := costs_of(subject, name))}
    if costs:
        yield "accuracy-against-passes", drawn(subject, costs, inches, PASSES, "mean accuracy, %", log=True)


def accuracies(subject: Subject, protocol: str) -> Points:
    """Overall and mean accuracy of every method."""
    overall, mean = (subject.values(protocol, metric) for metric in ("overall", "mean"))
    return {label: (fmean(overall[label].values()), fmean(mean[label].values())) for label in overall}


def costs_of(subject: Subject, protocol: str) -> Points:
    """Forward passes and mean accuracy of every method whose records count passes."""
    means = subject.values(protocol, "mean")
    costs = {label: passes_of(units) for label, units in subject.by_protocol[protocol].items()}
    return {label: (cost, fmean(means[label].values())) for label, cost in costs.items() if cost is not None}


def drawn(subject: Subject, made: dict[str, Points], inches: float, x: str, y: str, *, log: bool = False) -> Figure:
    """Panels beside each other; lines through the baseline part who wins in what."""
    figure, axes = panels(inches, len(made), across(inches), 1.55 if inches < 5 else 1.75)
    for axis, (protocol, points) in zip(axes, made.items(), strict=True):
        axis.set_title(name_of(protocol))
        if log:
            axis.set_xscale("log", base=2)
            axis.set_xticks([1, 2, 4, 8], ["1", "2", "4", "8"])
        _panel(axis, points, subject)
    figure.supxlabel(x, fontsize=8)
    figure.supylabel(y, fontsize=8)
    shown = {label for points in made.values() for label in points}
    legend(figure, handles(subject, shown), inches)
    return figure


def _panel(axis: Axes, points: Points, subject: Subject) -> None:
    axis.grid(False)
    if subject.baseline in points:
        x, y = points[subject.baseline]
        axis.axvline(x, color="#9a9a9a", linewidth=0.5, linestyle=(0, (3, 2)))
        axis.axhline(y, color="#9a9a9a", linewidth=0.5, linestyle=(0, (3, 2)))
    for label, (x, y) in points.items():
        if label not in subject.looks:
            axis.plot(x, y, "o", color=REST, markersize=2.6, markeredgewidth=0, zorder=2)
    for label, look in reversed(subject.looks.items()):
        if label in points:
            size = 3.4 if label == subject.baseline else 4.8  # on top, and what it covers shows
            axis.plot(*points[label], look.marker, color=look.colour, markersize=size, markeredgecolor="white",
                      zorder=3)
    _framed(axis, points, [points[label] for label in subject.looks if label in points])


def _framed(axis: Axes, points: Points, ours: list[tuple[float, float]]) -> None:
    """Bring what stands out to full size: others that lie lower, or further left, may be outside."""
    if not ours:
        return
    low, high = min(y for _, y in ours), max(y for _, y in points.values())
    room = max(0.5, 0.1 * (high - low))
    axis.set_ylim(low - room, high + room)
    inside = [x for x, y in points.values() if y >= low - room]
    if axis.get_xscale() == "log":
        axis.set_xlim(0.85, 1.2 * max(2.0, *inside))
    else:
        left = min(x for x, _ in ours)
        room = max(0.5, 0.1 * (max(inside) - left))
        axis.set_xlim(left - room, max(inside) + room)


def handles(subject: Subject, shown: set[str]) -> list[Any]:
    """The legend's marks."""
    from matplotlib.lines import Line2D

    found = [Line2D([], [], color=look.colour, marker=look.marker, linestyle="", markersize=4.6,
                    markeredgecolor="white", label=name_of(label))
             for label, look in subject.looks.items() if label in shown]
    if rest := len(shown - subject.looks.keys()):
        found.append(Line2D([], [], color=REST, marker="o", linestyle="", markersize=2.6, label=f"{rest} others"))
    return found
