"""Commands that say what gains prove: compare, power."""

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


@app.command(epilog="Examples:\n\nrun_bench.py compare nla ce --results results/drawn-faces\n\n"
                    "run_bench.py compare scn ce --protocol noise30 --format markdown --figure scn.pdf")
def compare(
    one: Annotated[str, typer.Argument(help="A method, or its row's label: 'nla lam=0.3'.")],
    other: Annotated[str, typer.Argument(help="What it is compared with.")],
    format: Annotated[str, typer.Option(help="text, markdown, csv or json.")] = "text",
    figure: Annotated[Path | None, typer.Option(help="Draw it, too: FILE.pdf or FILE.png.")] = None,
    interval: Annotated[str, typer.Option(help="variance (of seeds and faces), or bootstrap, which is too narrow for "
                                               "few seeds.")] = "variance",
    results: SeveralResults = None,
    protocol: OnlyProtocol = None,
    dataset: OnlyDataset = None,
    recipe: OnlyRecipe = None,
    track: OnlyTrack = None,
    code: OnlyCode = None,
    data: OnlyData = None,
    weights: OnlyWeights = None,
    seeds: OnlySeeds = None,
) -> None:
    """Compare two methods on all that both were run on: gains with intervals, overall, mean and by class."""
    from fer_bench.cli import judging

    filters = {"protocols": protocol, "datasets": dataset, "recipe": recipe, "track": track, "code": code,
               "weights": weights, "seeds": seeds, "data": data}
    print(judging.compared(results or [RESULTS], filters, one, other, interval, format, figure, say), end="")


@app.command(epilog="Examples:\n\nrun_bench.py power --results results/drawn-faces --method nla,scn --gain 1\n\n"
                    "run_bench.py power --dataset rafdb --protocol noise30 --gain 0.5 --tests 6")
def power(
    gain: Annotated[float, typer.Option(help="Points of accuracy that you want to see.")] = 1.0,
    baseline: Annotated[str, typer.Option(help="What methods are compared with.")] = "ce",
    tests: Annotated[int, typer.Option(min=1, help="Methods that you will test beside each other (Holm).")] = 1,
    chance: Annotated[float, typer.Option(help="How surely it is to be seen.")] = 0.8,
    format: Annotated[str, typer.Option(help="text, markdown, csv or json.")] = "text",
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
    """Say how many seeds it takes to see a gain, from the spread in the records."""
    from fer_bench.cli import judging

    filters = {"protocols": protocol, "datasets": dataset, "recipe": recipe, "track": track, "code": code,
               "weights": weights, "seeds": seeds, "data": data}
    asked = [name.strip() for name in method.split(",")] if method else []
    print(judging.needed(results or [RESULTS], filters, asked, baseline, gain, tests, chance, format, say), end="")
