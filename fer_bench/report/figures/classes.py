"""Class by class: confusion matrices and recalls of the methods that stand out."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_bench.report.figures.style import across, legend, name_of, panels
from fer_bench.report.figures.subject import Subject
from fer_bench.tables.model import Record
from fer_bench.tables.records import classes_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def figures(subject: Subject, inches: float) -> Iterator[tuple[str, Figure]]:
    """Two figures for each protocol; methods that knew other classes than the baseline are left out."""
    for protocol in subject.protocols:
        labels = [label for label in subject.looks if label in subject.by_protocol[protocol]]
        if not labels:
            continue
        classes = classes_of(_some(subject, protocol, labels[0]))
        labels = [label for label in labels if classes_of(_some(subject, protocol, label)) == classes]
        matrices = {label: found for label in labels if (found := confusion(subject, protocol, label)) is not None}
        if matrices:
            yield f"confusion-{protocol}", confusions(matrices, classes, inches)
        yield f"recall-{protocol}", recalls(subject, protocol, labels, classes, inches)


def _some(subject: Subject, protocol: str, label: str) -> Record:
    return next(iter(subject.by_protocol[protocol][label].values()))


def confusion(subject: Subject, protocol: str, label: str) -> np.ndarray | None:
    """Percent of each true class (row) that is called so (column), mean over runs, float64 [C, C]; NaN for a class
    without test faces, None where records keep no confusion."""
    shares = []
    for record in subject.by_protocol[protocol][label].values():
        counts = np.array(record["result"]["confusion"], dtype=np.float64)
        if counts.ndim != 2:
            return None
        faces = counts.sum(axis=1, keepdims=True)
        shares.append(100 * np.divide(counts, faces, out=np.full_like(counts, np.nan), where=faces > 0))
    mean: np.ndarray = np.mean(shares, axis=0)
    return mean


def shortened(classes: list[str]) -> list[str]:
    """As few first letters as tell classes apart, three at least and eight at most."""
    names = [name_of(name) for name in classes]
    length = next((n for n in range(3, 8) if len({name[:n] for name in names}) == len(names)), 8)
    return [name[:length] for name in names]


def confusions(matrices: dict[str, np.ndarray], classes: list[str], inches: float) -> Figure:
    """A matrix for each method, numbers in percent of the true class."""
    columns, short = across(inches), shortened(classes)
    figure, axes = panels(inches, len(matrices), columns, 1.62 if inches < 5 else 1.72)
    for place, (axis, (label, matrix)) in enumerate(zip(axes, matrices.items(), strict=True)):
        axis.imshow(matrix, cmap="Blues", vmin=0, vmax=100, aspect="equal")
        axis.set_title(name_of(label))
        axis.grid(False)
        axis.spines[:].set_visible(False)
        axis.tick_params(length=0, pad=1)
        axis.set_xticks(range(len(classes)), short, rotation=90, fontsize=5.5)
        axis.set_yticks(range(len(classes)), short if place % columns == 0 else [], fontsize=5.5)
        for row, column in np.ndindex(*matrix.shape):
            if matrix[row, column] >= 0.5:
                axis.text(column, row, f"{matrix[row, column]:.0f}", ha="center", va="center", fontsize=4.8,
                          color="white" if matrix[row, column] > 55 else "black")
    figure.supxlabel("predicted", fontsize=7)
    figure.supylabel("true, %", fontsize=7)
    return figure


def recalls(subject: Subject, protocol: str, labels: list[str], classes: list[str], inches: float) -> Figure:
    """A group of bars for each class, whiskers of one standard deviation over runs."""
    from matplotlib.patches import Patch

    lying = inches < 5
    height = 0.35 + 0.075 * len(labels) * len(classes) if lying else 2.0
    figure, (axis,) = panels(inches, 1, 1, height)
    width = 0.84 / len(labels)
    for place, label in enumerate(labels):
        found = [subject.values(protocol, f"recall:{name}")[label] for name in classes]
        spots = [number + (place - (len(labels) - 1) / 2) * width for number, own in enumerate(found) if own]
        means = [fmean(own.values()) for own in found if own]
        spread = [stdev(own.values()) if len(own) > 1 else 0.0 for own in found if own]
        _bars(axis, spots, means, spread, width, subject, label, lying)
    axis.grid(False)
    axis.grid(True, axis="x" if lying else "y")
    names = [name_of(name) for name in classes]
    if lying:
        axis.set_yticks(range(len(classes)), names)
        axis.set_ylim(len(classes) - 0.5, -0.5)
        axis.set_xlabel(f"recall, %, {name_of(protocol)}")
        axis.set_xlim(0, 100)
    else:
        axis.set_xticks(range(len(classes)), names)
        axis.set_xlim(-0.5, len(classes) - 0.5)
        axis.set_ylabel(f"recall, %, {name_of(protocol)}")
        axis.set_ylim(0, 100)
    legend(figure, [Patch(facecolor=subject.looks[label].colour, hatch=subject.looks[label].hatch, edgecolor="white",
                          linewidth=0, label=name_of(label)) for label in labels], inches)
    return figure


def _bars(axis: Axes, spots: list[float], means: list[float], spread: list[float], width: float, subject: Subject,
          label: str, lying: bool) -> None:
    look = subject.looks[label]
    how: dict[str, Any] = {"color": look.colour, "hatch": look.hatch, "edgecolor": "white", "linewidth": 0,
           "error_kw": {"elinewidth": 0.5, "ecolor": "#303030"}}
    whiskers = spread if any(spread) else None
    if lying:
        axis.barh(spots, means, width, xerr=whiskers, **how)
    else:
        axis.bar(spots, means, width, yerr=whiskers, **how)
