"""The look of all figures: widths, colours, markers, legends, and files that are the same for the same records."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fer_bench.errors import UserError, printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTHS = {"single": 3.3, "double": 6.9}  # inches of one and of two columns
STYLE = Path(__file__).resolve().parents[1] / "paper.mplstyle"
REST = "#d2d2d2"  # methods that do not stand out
BETTER, WORSE = "#0072B2", "#D55E00"
RESOLUTION = 300  # dots per inch of the PNGs
LONGEST = 32  # characters of a name

# Okabe and Ito's colours, which colour-blind readers can tell apart; yellow, which paper swallows, is a grey. Markers
# and dashes say the same once more, for print without colours.
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A7A7A")
MARKERS = ("o", "s", "^", "D", "v", "<", "p", ">")
DASHES: tuple[Any, ...] = ("-", "-", "--", "-.", "-", "--", (0, (1, 1)), (0, (4, 1, 1, 1, 1, 1)))
HATCHES = ("", "", "////", "....", "\\\\\\\\", "xxxx", "----", "++++")


class Look(NamedTuple):
    """How one method is drawn in every figure."""

    colour: str
    marker: str
    dashes: Any
    hatch: str


LOOKS = tuple(Look(*look) for look in zip(COLOURS, MARKERS, DASHES, HATCHES, strict=True))


def require() -> None:
    """Raise UserError where matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise UserError("figures need matplotlib, which is not installed: pip install -e '.[report]'")


@contextmanager
def paper() -> Iterator[None]:
    """Whatever is drawn inside has the look of the style file, whatever the user's own settings."""
    import matplotlib.style

    with matplotlib.style.context(["default", STYLE]):
        yield


def name_of(label: str) -> str:
    """A method's label as a figure shows it: printable, and not longer than a figure can hold."""
    text = printable(label)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def panels(inches: float, count: int, columns: int, height: float, **shared: Any) -> tuple[Figure, list[Axes]]:
    """A figure of so many panels in rows of ``columns``, each ``height`` inches high."""
    from matplotlib.figure import Figure

    columns = min(columns, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(inches, rows * height))
    grid = figure.subplots(rows, columns, squeeze=False, **shared).ravel()
    for unused in grid[count:]:
        unused.set_visible(False)
    return figure, list(grid[:count])


def across(inches: float) -> int:
    """How many small panels stand beside each other."""
    return 2 if inches < 5 else 4


def legend(figure: Figure, handles: Iterable[Any], inches: float) -> None:
    """One legend for all panels, above them; the figure grows by its height."""
    handles = list(handles)
    widths = [0.45 + 0.045 * len(str(handle.get_label())) for handle in handles]
    rows = next(rows for rows in range(1, len(widths) + 1)
                if rows == len(widths) or sum(max(widths[i : i + rows]) for i in range(0, len(widths), rows)) < inches)
    columns = -(-len(handles) // rows)
    figure.set_figheight(figure.get_figheight() + 0.06 + 0.14 * rows)
    figure.legend(handles=handles, loc="outside upper center", ncols=columns)


def saved(figure: Figure, path: Path) -> list[Path]:
    """Write ``path``.pdf and ``path``.png: no dates, so that the same figure has the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_pdf import FigureCanvasPdf

    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # it is laid out now; savefig would do it twice for each file
    pdf, png = io.BytesIO(), io.BytesIO()
    as_pdf: Any = FigureCanvasPdf(figure)
    as_pdf.print_pdf(pdf, metadata={"CreationDate": None})
    figure.set_dpi(RESOLUTION)
    as_png: Any = FigureCanvasAgg(figure)
    as_png.print_png(png, metadata={"Software": None})
    targets = [path.with_name(f"{path.name}.{suffix}") for suffix in ("pdf", "png")]
    for target, buffer in zip(targets, (pdf, png), strict=True):
        target.write_bytes(buffer.getvalue())
    return targets
