"""report: what records hold, as a page to look at, and as figures for papers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fer_bench.cli.options import (
    RESULTS,
    OnlyCode,
    OnlyData,
    OnlyDataset,
    OnlyMethod,
    OnlyProtocol,
    OnlyRecipe,
    OnlySeeds,
    OnlyTrack,
    OnlyWeights,
    SeveralResults,
    say,
)

app = typer.Typer()


@app.command(epilog="Examples:\n\nrun_bench.py report --results results/drawn-faces\n\n"
                    "run_bench.py report --results results/drawn-faces --results results/ferplus7-face112 -o page\n\n"
                    "run_bench.py report --results results/drawn-faces --figures figures")
def report(
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The folder that gets index.html.  "
                                                                 "[default: report]")] = None,
    figures: Annotated[Path | None, typer.Option("--figures", help="Write figures for papers into this folder: PDF and "
                                                                   "PNG; the page only with -o.")] = None,
    results: SeveralResults = None,
    method: OnlyMethod = None,
    protocol: OnlyProtocol = None,
    dataset: OnlyDataset = None,
    recipe: OnlyRecipe = None,
    track: OnlyTrack = None,
    code: OnlyCode = None,
    data: OnlyData = None,
    weights: OnlyWeights = None,
    seeds: OnlySeeds = None,
) -> None:
    """Make one HTML file of the records: tables, figures, runs. It needs no network and no server."""
    from fer_bench.cli import reading

    filters = {"methods": method, "protocols": protocol, "datasets": dataset, "recipe": recipe, "track": track,
               "code": code, "weights": weights, "seeds": seeds, "data": data}
    folders = results or [RESULTS]
    if figures:
        print(reading.figures(folders, filters, figures, say))
    if out or not figures:
        print(reading.report(folders, filters, out or Path("report"), say))
