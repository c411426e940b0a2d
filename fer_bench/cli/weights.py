"""weights get, weights list: pre-trained weights by name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fer_bench.cli.options import CACHE, Cache, say
from fer_bench.errors import unknown

app = typer.Typer(no_args_is_help=True, help="Get and list pre-trained weights.")


@app.command(epilog="Examples:\n\nrun_bench.py weights get dlib-face\n\n"
                    "run_bench.py weights get dlib-face --from vladmandic-face-api-1.7.15.tgz")
def get(
    name: Annotated[str, typer.Argument(help="A name that 'weights list' shows.")],
    source: Annotated[list[Path] | None, typer.Option("--from", help="The package as .tgz, or each of its two files "
                                                                     "(manifest and .bin), instead of npm.")] = None,
    cache: Cache = CACHE,
) -> None:
    """Fetch pre-trained weights with npm, check them, and convert them once into the cache."""
    from fer_bench.weights import catalog

    if name not in catalog.PACKAGES:
        raise unknown("weights", name, catalog.PACKAGES)
    from fer_bench.weights import package

    known = catalog.PACKAGES[name]
    path = package.get(known, cache, tuple(source or ()), say)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, sha256 of the package's files and digest of the tensors as "
          f"expected\norigin: {known.origin}\npackage: {known.spec}\nlicence: {known.licence}\nuse: --weights {name} "
          f"(recipe {known.recipe})")


@app.command("list", epilog="Example:\n\nrun_bench.py weights list")
def list_(cache: Cache = CACHE) -> None:
    """Show the weights that are known: for which backbone, where they lie, how to get them."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from fer_bench.weights import catalog

    table = Table("--weights", "backbone", "where", "origin and licence", box=box.SIMPLE_HEAD)
    for name, package in catalog.PACKAGES.items():
        found = catalog.place(package, cache)
        table.add_row(name, name, str(found) if found.is_file() else f"not here: run_bench.py weights get {name}",
                      f"{package.origin}; {package.licence}")
    for row in catalog.BROUGHT:
        table.add_row(*row)
    Console(width=None if Console().is_terminal else 160).print(table)
