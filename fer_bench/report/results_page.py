"""The page of results: one HTML file with its data, style, script and Plotly; no request leaves it."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from fer_bench.errors import UserError
from fer_bench.report.payload import Payload
from fer_bench.report.templating import ENVIRONMENT

SCRIPTS = ("dom.js", "model.js", "state.js", "plot.js", "table.js", "gains.js", "scatter.js", "strength.js",
           "curves.js", "classes.js", "ranks.js", "dialog.js", "lists.js", "main.js")


def render(payload: Payload) -> str:
    """The whole page. Raises UserError where plotly is not installed."""
    return ENVIRONMENT.get_template("results/page.html").render(
        payload=Markup(payload.as_json()), plotly=Markup(plotly_source()), scripts=SCRIPTS)


def plotly_source() -> str:
    """The script of Plotly, as its Python package brings it. Raises UserError where that is not installed."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise UserError("report: plotly is not installed; pip install 'fer-bench[report]' (in a checkout: pip install "
                        "-e '.[report]')") from None
    source = str(get_plotlyjs())
    assert "</script" not in source and "<!--" not in source, "Plotly's script cannot stand inside an element"
    return source


def index_of(folder: Path) -> Path:
    """The file of a page in a folder."""
    return folder / "index.html"
