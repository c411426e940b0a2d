"""Gain over the baseline, method by method, with every seed to be seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from fer_bench.report.figures.style import BETTER, WORSE, name_of, panels
from fer_bench.report.figures.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Gains = dict[str, list[float]]
LOWEST = -15.0  # points; what lies below is an arrow at the edge, so that the others can be told apart
MOST = 4  # panels of a figure
SEED = "#8c8c8c"


def figures(subject: Subject, inches: float) -> Iterator[tuple[str, Figure]]:
    """One column: a figure for each protocol. Two: up to four protocols beside each other."""
    found = {name: gains for name in subject.protocols if (gains := subject.gains(name))}
    if inches < 5:
        for name in found:
            yield f"gain-{name}", drawn({name: found[name]}, subject.baseline, inches)
        return
    most = max((len(gains) for gains in found.values()), default=0)
    full = [name for name in found if 2 * len(found[name]) >= most]
    rest = [name for name in found if name not in full]
    chunks = [names[i : i + MOST] for names in (full, rest) for i in range(0, len(names), MOST)]
    for number, names in enumerate(chunks, 1):
        yield "gain" if number == 1 else f"gain-{number}", drawn({n: found[n] for n in names}, subject.baseline, inches)


def drawn(found: dict[str, Gains], baseline: str, inches: float) -> Figure:
    """One panel a protocol; methods are sorted by their mean gain over the panels."""
    labels = {label for gains in found.values() for label in gains}
    means = {label: fmean(fmean(gains[label]) for gains in found.values() if label in gains) for label in labels}
    order = sorted(labels, key=lambda label: (-means[label], label))
    row = 0.115 if len(order) > 25 else 0.15
    figure, axes = panels(inches, len(found), len(found), 0.62 + row * len(order), sharey=True)
    for axis, (protocol, gains) in zip(axes, found.items(), strict=True):
        _panel(axis, gains, order)
        axis.set_title(name_of(protocol))
    axes[0].set_yticks(range(len(order)), [name_of(label) for label in order],
                       fontsize=6 if len(order) > 25 else 7)
    axes[0].set_ylim(len(order) - 0.5, -0.5)
    several = any(len(own) > 1 for gains in found.values() for own in gains.values())
    below = any(fmean(own) < LOWEST for gains in found.values() for own in gains.values())
    text = f"points of mean accuracy above {name_of(baseline)} with the same seed"
    more = [*["grey: each seed"] * several, *["arrow: further left"] * below]
    figure.supxlabel(text + (("\n" if inches < 5 else " ") + f"({', '.join(more)})" if more else ""), fontsize=7)
    return figure


def _panel(axis: Axes, gains: Gains, order: Sequence[str]) -> None:
    axis.grid(False)
    axis.grid(True, axis="x")
    axis.axvline(0, color="black", linewidth=0.7)
    for place in range(0, len(order), 2):
        axis.axhspan(place - 0.5, place + 0.5, color="#f5f5f5", zorder=0, linewidth=0)
    axis.tick_params(axis="y", length=0)
    lowest = min(min(own) for own in gains.values())
    edge = max(lowest, LOWEST)
    for place, label in enumerate(order):
        own = gains.get(label, [])
        if len(own) > 1:
            _marks(axis, own, place, "o", SEED, 1.6)
        if own:
            middle = fmean(own)
            _marks(axis, [middle], place, "D", BETTER if middle > 0 else WORSE if middle < 0 else "black", 2.8)
    highest = max(max(own) for own in gains.values())
    room = 0.04 * (highest - edge) + 0.3
    axis.set_xlim(edge - (1.5 * room if lowest < LOWEST else room), max(highest, 0) + room)


def _marks(axis: Axes, values: Sequence[float], place: int, marker: str, colour: str, size: float) -> None:
    inside = [value for value in values if value >= LOWEST]
    axis.plot(inside, [place] * len(inside), marker, color=colour, markersize=size, markeredgewidth=0)
    if len(inside) < len(values):
        axis.plot([LOWEST - 0.4], [place], "<", color=colour, markersize=size + 0.4, markeredgewidth=0)
