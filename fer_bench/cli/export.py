"""export: a protocol's training labels, or the records and their curves in a form that other programs read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fer_bench.cli.options import (
    CACHE,
    RESULTS,
    Cache,
    DataOptions,
    Folds,
    NoiseList,
    OnlyCode,
    OnlyData,
    OnlyMethod,
    OnlyRecipe,
    OnlySeeds,
    OnlyTrack,
    OnlyWeights,
    PackSize,
    Plugins,
    Roots,
    ScoreTable,
    SeveralResults,
    parse_roots,
    say,
)
from fer_bench.errors import UserError

app = typer.Typer()


@app.command(epilog="Examples:\n\nrun_bench.py export --protocol noise30 --seed 0 > noise30_0.csv\n\n"
                    "run_bench.py export --format csv --results results/drawn-faces --out runs\n\n"
                    "run_bench.py export --format tensorboard --method ce,nla --out logs")
def export(
    protocol: Annotated[str | None, typer.Option("--protocol", help="The protocol; of records: only these.")] = None,
    dataset: Annotated[str | None, typer.Option("--dataset", help="The dataset (synthetic); of records: only "
                                                                  "these.")] = None,
    format: Annotated[str | None, typer.Option(help="Records and curves instead: csv, parquet, json or "
                                                    "tensorboard.")] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Records: the folder that gets the files.  "
                                                                 "[default: export]")] = None,
    results: SeveralResults = None,
    method: OnlyMethod = None,
    recipe: OnlyRecipe = None,
    track: OnlyTrack = None,
    code: OnlyCode = None,
    data: OnlyData = None,
    weights: OnlyWeights = None,
    seeds: OnlySeeds = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Labels: the seed of the draw.  [default: 0]")] = None,
    data_root: Roots = None,
    data_option: DataOptions = None,
    folds: Folds = 0,
    fold: Annotated[int, typer.Option(min=0, help="With --folds: the one that is not in the training set.")] = 0,
    cache: Cache = CACHE,
    noise_list: NoiseList = None,
    scores: ScoreTable = None,
    plugin: Plugins = None,
    pack_size: PackSize = None,
) -> None:
    """Write a protocol's training labels as CSV (id,given,true), so that others can use the split; with --format the
    records and their curves."""
    if format is not None:
        from fer_bench.cli import judging

        refuse("the labels of a protocol; leave --format out for them", {
            "--seed": seed, "--data-root": data_root, "--data-option": data_option, "--noise-list": noise_list,
            "--scores": scores, "--plugin": plugin, "--pack-size": pack_size, "--folds": folds or None,
            "--fold": fold or None})
        filters = {"methods": method, "protocols": protocol, "datasets": dataset, "recipe": recipe, "track": track,
                   "code": code, "weights": weights, "seeds": seeds, "data": data}
        print(judging.exported(results or [RESULTS], filters, format, out or Path("export"), say))
        return
    from fer_bench.cli import commands
    from fer_bench.runs.request import Request
    from fer_bench.runs.spec import parse_settings

    refuse("records; add --format csv for them", {
        "--out": out, "--results": results, "--method": method, "--recipe": recipe, "--track": track, "--code": code,
        "--data": data, "--weights": weights, "--seeds": seeds})
    if protocol is None:
        raise UserError("export: found neither --protocol NAME, for a protocol's training labels, nor --format csv, "
                        "for the records; give one")
    if bool(fold) != bool(folds) or fold > folds:
        raise UserError(f"--folds {folds} --fold {fold}: expected both, or neither; --folds 5 --fold 1 is the first of "
                        "five runs")
    commands.export(Request(
        (), (protocol,), (dataset or "synthetic",), (seed or 0,), cache, parse_roots(data_root), noise_list=noise_list,
        scores=scores, pack_size=pack_size, plugins=tuple(plugin or ()), folds=folds, only_fold=fold,
        data_options=parse_settings("--data-option", data_option or [])), say)


def refuse(of: str, given: dict[str, object]) -> None:
    """Raise UserError for an option that belongs to the other thing that export writes."""
    for option, value in given.items():
        if value is not None:
            raise UserError(f"export {option}: belongs to {of}")
