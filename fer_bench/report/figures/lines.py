"""Lines with spread: accuracy against noise rate and imbalance, learning curves, and the diagnosis epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, NamedTuple

from fer_bench.report.figures.style import REST, across, legend, name_of, panels
from fer_bench.report.figures.subject import Subject
from fer_bench.tables.layouts import KINDS, LAYOUTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Series = dict[str, dict[float, list[float]]]  # label -> place on the x axis -> one number for each run
COURSES = {"overall": "overall accuracy, %", "memorised": "memorised, %", "corrected": "corrected, %",
           "weight_auroc": "weights' AUROC, %"}
DEPTH = 40.0  # points below the highest line that learning curves show
SIDES = {"overall": "overall accuracy", "mean": "mean accuracy"}


class Panel(NamedTuple):
    """One set of axes: its title, the label of its y axis, and what it draws."""

    title: str
    what: str
    series: Series


def figures(subject: Subject, inches: float) -> Iterator[tuple[str, Figure]]:
    """What there is of noise, imbalance, learning curves and diagnosis."""
    for name, kind, text in (("noise", "symmetric", "wrong labels (symmetric), %"),
                             ("imbalance", "exponential", "imbalance factor")):
        made = [Panel(what, "accuracy, %", rates(subject, name, kind, metric)) for metric, what in SIDES.items()
                if metric == "overall" or subject.uneven]
        if all(len(places_of(panel.series)) > 1 for panel in made):
            yield f"against-{name}", drawn(subject, made, inches, text, 2, log=name == "imbalance")
    for key, what in COURSES.items():
        made = [Panel(protocol, what, course(subject, protocol, key)) for protocol in subject.protocols]
        made = [panel for panel in made
                if len(places_of(panel.series)) > 1 and panel.series.keys() & subject.looks.keys()]
        if made:
            name = "curves" if key == "overall" else f"diagnosis-{key.replace('_', '-')}"
            yield name, drawn(subject, made, inches, "epoch", across(inches))


def rates(subject: Subject, layout: str, kind: str, metric: str) -> Series:
    """Accuracy at each rate (percent) or factor of one kind, from the protocols' contents; 0 or 1 is clean."""
    found: Series = {}
    for protocol, labels in subject.by_protocol.items():
        some = next(record for units in labels.values() for record in units.values())
        place = LAYOUTS[layout].place(some)
        if place is None or KINDS[place[1].kind] not in ("", kind) or place[0] != (subject.dataset,):
            continue
        slot = place[1]
        x = (slot.strength or 1.0) if layout == "imbalance" else 100 * slot.strength
        for label, units in subject.values(protocol, metric).items():
            found.setdefault(label, {}).setdefault(x, []).extend(units.values())
    return found


def course(subject: Subject, protocol: str, key: str) -> Series:
    """One number of every epoch of every run, in percent; runs that do not have it are left out."""
    found: Series = {}
    for label, units in subject.by_protocol[protocol].items():
        for record in units.values():
            for row in record["result"]["curve"]:
                if row.get(key) is not None:
                    found.setdefault(label, {}).setdefault(row["epoch"], []).append(100 * row[key])
    return found


def places_of(series: Series) -> list[float]:
    """The places on the x axis that any line has."""
    return sorted({x for line in series.values() for x in line})


def drawn(subject: Subject, made: Sequence[Panel], inches: float, text: str, columns: int, *,
          log: bool = False) -> Figure:
    """Panels beside each other, one legend for all; the methods that do not stand out are thin grey lines."""
    from matplotlib.ticker import MaxNLocator

    same = len({panel.what for panel in made}) == 1
    figure, axes = panels(inches, len(made), columns, 1.55 if inches < 5 else 1.75)
    for place, (axis, panel) in enumerate(zip(axes, made, strict=True)):
        _panel(axis, panel, subject, markers=text != "epoch")
        axis.set_title(name_of(panel.title))
        if log:
            axis.set_xscale("log")
        if text == "epoch":
            axis.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        else:
            axis.set_xticks(places_of(panel.series), [f"{x:g}" for x in places_of(panel.series)])
        if not same or place % min(columns, len(made)) == 0:
            axis.set_ylabel(panel.what)
    figure.supxlabel(text, fontsize=8)
    shown = {label for panel in made for label in panel.series}
    legend(figure, _handles(subject, shown, markers=text != "epoch"), inches)
    return figure


def _panel(axis: Axes, panel: Panel, subject: Subject, markers: bool) -> None:
    heights = []
    for label in sorted(panel.series.keys() - subject.looks.keys()):
        line = panel.series[label]
        axis.plot(sorted(line), [fmean(line[x]) for x in sorted(line)], color=REST, linewidth=0.45, zorder=1)
    for label, look in reversed(subject.looks.items()):
        line = panel.series.get(label, {})
        xs = sorted(line)
        means = [fmean(line[x]) for x in xs]
        heights += means
        if xs and all(len(line[x]) > 1 for x in xs):
            spread = [stdev(line[x]) for x in xs]
            axis.fill_between(xs, [m - s for m, s in zip(means, spread, strict=True)],
                              [m + s for m, s in zip(means, spread, strict=True)], color=look.colour, alpha=0.13,
                              linewidth=0, zorder=2)
        axis.plot(xs, means, color=look.colour, linestyle=look.dashes, marker=look.marker if markers else "",
                  markeredgecolor="white", zorder=3)
    if heights:  # the grey lines may run out of the panel: those in colour must be told apart
        lowest, highest = min(heights), max(heights)
        if panel.what == COURSES["overall"]:  # where all begin alike the end would be flat
            lowest = max(lowest, highest - DEPTH)
        room = max(1.0, 0.12 * (highest - lowest))
        axis.set_ylim(max(axis.get_ylim()[0], lowest - room), min(axis.get_ylim()[1], highest + room))


def _handles(subject: Subject, shown: set[str], markers: bool) -> list[Any]:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=look.colour, linestyle=look.dashes, marker=look.marker if markers else "",
                      markeredgecolor="white", label=name_of(label))
               for label, look in subject.looks.items() if label in shown]
    if rest := len(shown - subject.looks.keys()):
        handles.append(Line2D([], [], color=REST, linewidth=0.7, label=f"{rest} others"))
    return handles
