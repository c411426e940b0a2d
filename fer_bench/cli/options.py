"""Options that several commands share, and what the commands have in common."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from fer_bench.data.catalog import OWN_NAME
from fer_bench.errors import UserError, near

Methods = Annotated[str, typer.Option("--method", help="Methods, comma-separated; 'family:noise' or 'all'.")]
Protocols = Annotated[str, typer.Option("--protocol", help="Protocols or YAML files, comma-separated, or 'all'; "
                                                            "imb20_256: imb20 drawn with seed 256.")]
Datasets = Annotated[str, typer.Option("--dataset", help="Datasets, comma-separated.")]
Roots = Annotated[list[str] | None, typer.Option("--data-root", help="Folder or .zip of the dataset; NAME=DIR, "
                                                                       "repeatable, where there are several.")]
DataOptions = Annotated[list[str] | None, typer.Option("--data-option", help="How a dataset is read: key=value; "
                                                                             "'list' says which there are.")]
Folds = Annotated[int, typer.Option("--folds", min=0, help="Test on each of N parts, where no test set is.")]
Seeds = Annotated[str, typer.Option("--seeds", help="A count (5: seeds 0 to 4) or a list (0,3,7).")]
Results = Annotated[Path, typer.Option("--results", help="Records and tables.")]
SeveralResults = Annotated[list[Path] | None, typer.Option("--results", help="Folder of records; repeatable.  "
                                                                               "[default: results]")]
OnlyMethod = Annotated[str | None, typer.Option("--method", help="Only these methods.")]
OnlyProtocol = Annotated[str | None, typer.Option("--protocol", help="Only these protocols.")]
OnlyDataset = Annotated[str | None, typer.Option("--dataset", help="Only these datasets.")]
OnlyRecipe = Annotated[str | None, typer.Option("--recipe", help="Only runs of this recipe.")]
OnlyTrack = Annotated[str | None, typer.Option("--track", help="Only runs of this track.")]
OnlyCode = Annotated[str | None, typer.Option("--code", help="Only this version: engine=1, nla=2 or a hash.")]
OnlyData = Annotated[str | None, typer.Option("--data", help="Only runs on data of this fingerprint.")]
OnlyWeights = Annotated[str | None, typer.Option("--weights", help="Only runs from these weights.")]
OnlySeeds = Annotated[str | None, typer.Option("--seeds", help="Only these seeds.")]
Work = Annotated[Path, typer.Option("--work", help="Checkpoints, claims, errors.")]
Cache = Annotated[Path, typer.Option("--cache", help="Decoded datasets.")]
Plugins = Annotated[list[Path] | None, typer.Option("--plugin", help="A Python file with more methods; repeatable.")]
NoiseList = Annotated[Path | None, typer.Option("--noise-list", help="File of a protocol that reads a noise list.")]
ScoreTable = Annotated[Path | None, typer.Option("--scores", help="Score table of instance-dependent noise.")]
PackSize = Annotated[int | None, typer.Option("--pack-size", help="Store faces at this many pixels.")]
Weights = Annotated[str, typer.Option("--weights", help="What networks begin from: a checkpoint, 'dlib-face', "
                                                        "'imagenet' or 'none'.")]
RESULTS, WORK, CACHE = Path("results"), Path("work"), Path("cache")


def say(line: str) -> None:
    """A line for the user that is not the command's result."""
    print(line, file=sys.stderr, flush=True)


def parse_roots(items: list[str] | None) -> dict[str, Path]:
    """["DIR", "mine=DIR"] to {"": DIR, "mine": DIR}. Raises UserError for two of one dataset."""
    found: dict[str, Path] = {}
    for item in items or []:
        named = OWN_NAME.fullmatch(item) if not Path(item).exists() else None
        name, root = named.groups() if named else ("", item)
        if name in found:
            raise UserError(f"--data-root {item}: the second for {name or 'all datasets'} after {found[name]}; give "
                            "each dataset its own: --data-root NAME=DIR")
        found[name] = Path(root).expanduser()
    return found


def check_choice(option: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise UserError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise UserError(f"{option} {value}: {near(value, [c for c in choices if c])}")


def check_device(name: str) -> None:
    """Raise UserError unless ``name`` could be a device; whether it is there is known where the run begins."""
    if not re.fullmatch(r"auto|cpu|mps|(cuda|xpu)(:\d+)?", name):
        raise UserError(f"--device {name}: no such kind; expected auto, cpu, cuda or a numbered one such as cuda:1")


def check_card(card: str | None, dry_run: bool) -> None:
    """Raise UserError for a card that nothing would be told of."""
    if card and not dry_run:
        raise UserError(f"--card {card}: only tells what --dry-run says; add --dry-run, or leave it out")


def check_together(submitted: bool, of_a_submission: dict[str, bool], of_this_process: dict[str, bool]) -> None:
    """Raise UserError for an option that would be ignored, because runs are submitted or because they are not."""
    for option, given in (of_this_process if submitted else of_a_submission).items():
        if given and submitted:
            raise UserError(f"{option}: has no effect on runs that are submitted; leave it out, --tasks N is the "
                            "number of workers")
        if given:
            raise UserError(f"{option}: only for runs that are submitted; add --slurm key=value,... or --executor "
                            "local, or leave it out")
