"""A comparison as a figure: gains with their intervals, and the recall of each class."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from fer_bench.errors import UserError, printable
from fer_bench.statistics.compare import METRICS, Compared, Comparison, Gain
from fer_bench.statistics.render import shown
from fer_bench.tables.export import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES = (".pdf", ".png")
COLOURS = {"overall": "#0072B2", "mean": "#D55E00"}  # Okabe and Ito: told apart by the colour-blind, too
STYLE = {"pdf.fonttype": 42, "font.size": 8, "axes.spines.top": False, "axes.spines.right": False, "text.usetex": False}


def check_figure(path: Path) -> None:
    """Raise UserError for a file of another kind, a folder that is not there, or where matplotlib is missing."""
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"--figure {path}: expected a file that ends in .pdf or .png")
    if not path.parent.is_dir():
        raise UserError(f"--figure {path}: no such folder {path.parent}; make it first")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UserError("--figure draws with matplotlib, which is not installed: "
                        "pip install 'fer-bench[report]'") from None


def draw(found: Comparison, path: Path) -> None:
    """Write the figure as PDF or PNG, by the file's name; the file is whole or not there. Raises UserError."""
    check_figure(path)
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type, unused-ignore]
        lines = max(len(case.gains) for case in found.cases)
        figure = Figure((6.9, 0.9 + 0.1 * lines * len(found.cases)), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        for place, case in enumerate(found.cases):
            for metric, shift in zip(METRICS, (-0.13, 0.13), strict=True):
                _bar(left, case.of(metric), place + shift, COLOURS[metric])
            for gain in case.gains[len(METRICS) :]:
                _bar(right, gain, place + _spread(case, gain), "black", 0.6)
                end = gain.interval.high if gain.interval else shown(gain)
                right.annotate(_plain(gain.metric.removeprefix("recall:")), (100 * end, place + _spread(case, gain)),
                               (3, 0), textcoords="offset points", fontsize=5, va="center")
        for axis in (left, right):
            axis.axvline(0, color="grey", linewidth=0.8, zorder=0)
        left.set_yticks(range(len(found.cases)),
                        [_plain(f"{case.dataset}, {case.protocol} (n = {len(case.seeds)})") for case in found.cases])
        left.set_ylim(len(found.cases) - 0.5, -0.5)
        left.set_xlabel("points of accuracy with 95 %:\nblue overall, orange mean")
        right.set_xlabel("points of recall with 95 %")
        right.margins(x=0.15)  # for the names of classes
        figure.suptitle(_plain(f"{found.one} minus {found.other}"), fontsize=9)
        data = io.BytesIO()
        figure.savefig(data, format=path.suffix[1:].lower(), dpi=200)
    with whole_file(path) as temporary:
        temporary.write_bytes(data.getvalue())


def _bar(axis: Axes, gain: Gain, place: float, colour: str, width: float = 1.5) -> None:
    if gain.interval:
        axis.plot([100 * gain.interval.low, 100 * gain.interval.high], [place, place], color=colour, linewidth=width)
    axis.plot(100 * shown(gain), place, "o", color=colour, markersize=2.5 * width**0.5)


def _spread(case: Compared, gain: Gain) -> float:
    """How far above or below the middle of its case a class stands."""
    classes = case.gains[len(METRICS) :]
    return (classes.index(gain) + 0.5) / len(classes) * 0.8 - 0.4


def _plain(text: str) -> str:
    """Text from a file, in which nothing is read as mathematics."""
    return printable(text).replace("$", r"\$")
