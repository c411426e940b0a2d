"""data: look at datasets and at what the cache holds of them."""

from __future__ import annotations

import typer

from fer_bench.cli.options import CACHE, Cache, DataOptions, Datasets, PackSize, Plugins, Roots, parse_roots, say
from fer_bench.errors import UserError

app = typer.Typer(help="Look at datasets.", no_args_is_help=True)


@app.command(epilog="Example:\n\nrun_bench.py data check --dataset ferplus7 --data-root data/ferplus")
def check(
    dataset: Datasets = "synthetic",
    data_root: Roots = None,
    data_option: DataOptions = None,
    cache: Cache = CACHE,
    plugin: Plugins = None,
    pack_size: PackSize = None,
) -> None:
    """Count faces per class and split, find duplicates, and compare with the official counts."""
    from fer_bench.data.check import report
    from fer_bench.runs.faces import cached_pack
    from fer_bench.runs.request import Request
    from fer_bench.runs.spec import parse_settings

    if "," in dataset or dataset == "all":
        raise UserError(f"data check looks at one dataset at a time, found '{dataset}'")
    request = Request((), (), (dataset,), (), cache, parse_roots(data_root), plugins=tuple(plugin or ()),
                      data_options=parse_settings("--data-option", data_option or []))
    print(report(cached_pack(request.asked()[0], cache, pack_size, say)))
