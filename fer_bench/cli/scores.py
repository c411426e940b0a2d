"""The command that makes a score table, which instance-dependent noise is read from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fer_bench.cli.options import (
    CACHE,
    RESULTS,
    WORK,
    Cache,
    DataOptions,
    PackSize,
    Plugins,
    Roots,
    Weights,
    Work,
    check_device,
    parse_roots,
    say,
)
from fer_bench.errors import UserError

app = typer.Typer()


@app.command(epilog="Examples:\n\nrun_bench.py scores --dataset ferplus7 --data-root data/ferplus\n\n"
                    "run_bench.py scores --dataset rafdb --data-root ~/data/RAF-DB --weights resnet18_msceleb.pth")
def scores(
    dataset: Annotated[str, typer.Option("--dataset", help="The dataset, one at a time.")],
    data_root: Roots = None,
    data_option: DataOptions = None,
    recipe: Annotated[str | None, typer.Option("--recipe", help="Recipe or YAML file; default by dataset.")] = None,
    weights: Weights = "none",
    out: Annotated[Path | None, typer.Option(help="Write the table to this file instead of the cache.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1.")] = "auto",
    work: Work = WORK,
    cache: Cache = CACHE,
    plugin: Plugins = None,
    pack_size: PackSize = None,
) -> None:
    """Train five reference networks and keep what each thinks of the faces it did not see (for idn20 to idn40)."""
    from fer_bench.cli import commands
    from fer_bench.runs.reference import reference_request
    from fer_bench.runs.settings import Settings
    from fer_bench.runs.spec import parse_settings
    from fer_bench.runs.store import Store

    if "," in dataset:
        raise UserError(f"scores makes the table of one dataset at a time, found '{dataset}'")
    check_device(device)
    request = reference_request(dataset, cache, roots=parse_roots(data_root), recipe=recipe, weights=weights,
                                pack_size=pack_size, plugins=tuple(plugin or ()),
                                data_options=parse_settings("--data-option", data_option or []))
    commands.scores(request, Settings(Store(RESULTS, work), device), out, say)
