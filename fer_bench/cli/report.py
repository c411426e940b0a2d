"""report: what records hold, as a page to look at, and as figures for papers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fer_bench.cli.options import (
    CACHE,
    RESULTS,
    Cache,
    DataOptions,
    OnlyCode,
    OnlyData,
    OnlyDataset,
    OnlyMethod,
    OnlyProtocol,
    OnlyRecipe,
    OnlySeeds,
    OnlyTrack,
    OnlyWeights,
    Roots,
    SeveralResults,
    parse_roots,
    say,
)
from fer_bench.errors import UserError

app = typer.Typer()


@app.command(epilog="Examples:\n\nrun_bench.py report --results results/drawn-faces\n\n"
                    "run_bench.py report --results results/drawn-faces --results results/ferplus7-face112 -o page\n\n"
                    "run_bench.py report --results results/drawn-faces --figures figures\n\n"
                    "run_bench.py report --dataset ferplus7 --faces ferplus7 --data-root data/ferplus")
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
    faces: Annotated[str, typer.Option(help="Draw telling faces of these datasets, too; their makers' terms say what "
                                            "may be shown. The embedded ones are always drawn.")] = "",
    baseline: Annotated[str, typer.Option(help="Methods over which gains have intervals; the page begins with the "
                                               "first, figures are of it.")] = "ce",
    data_root: Roots = None,
    data_option: DataOptions = None,
    cache: Cache = CACHE,
) -> None:
    """Make one HTML file of the records: tables, figures, runs. It needs no network and no server."""
    from fer_bench.cli import reading
    from fer_bench.runs.request import Request, expand
    from fer_bench.runs.spec import parse_settings

    filters = {"methods": method, "protocols": protocol, "datasets": dataset, "recipe": recipe, "track": track,
               "code": code, "weights": weights, "seeds": seeds, "data": data}
    folders, baselines = results or [RESULTS], expand("baseline", baseline, lambda: ())
    if figures:
        check_for_the_page(out is not None, {"--faces": bool(faces), "--data-root": bool(data_root)})
        print(reading.figures(folders, filters, figures, baselines[0], say))
    if out or not figures:
        names = expand("faces", faces, lambda: ()) if faces else ()
        request = Request((), (), names, (), cache, parse_roots(data_root),
                          data_options=parse_settings("--data-option", data_option or []))
        print(reading.report(folders, filters, out or Path("report"), request, baselines, say))


def check_for_the_page(page: bool, given: dict[str, bool]) -> None:
    """Raise UserError for an option of the page where only figures are asked for."""
    if not page and (option := next((option for option, there in given.items() if there), None)):
        raise UserError(f"{option} with --figures: only the page shows faces; add -o DIR for the page, or leave "
                        f"{option} out")
