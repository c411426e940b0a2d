"""data: look at datasets and at what the cache holds of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fer_bench.cli.options import CACHE, Cache, DataOptions, Datasets, PackSize, Plugins, Roots, parse_roots, say
from fer_bench.errors import UserError, printable

if TYPE_CHECKING:
    from fer_bench.data.catalog import DatasetInfo
    from fer_bench.data.check import Check

app = typer.Typer(help="Look at datasets.", no_args_is_help=True)


@app.command(epilog="Examples:\n\nrun_bench.py data check\n\n"
                    "run_bench.py data check --dataset ferplus7 --data-root data/ferplus\n\n"
                    "run_bench.py data check --dataset folder:faces --html check.html")
def check(
    dataset: Datasets = "synthetic",
    data_root: Roots = None,
    data_option: DataOptions = None,
    html: Annotated[Path | None, typer.Option(help="Write the check as a page too, all in one file.")] = None,
    faces: Annotated[bool, typer.Option("--faces", help="Draw faces of licensed datasets in the page; their "
                                                        "makers' terms say what may be shown.")] = False,
    cache: Cache = CACHE,
    plugin: Plugins = None,
    pack_size: PackSize = None,
) -> None:
    """Count faces per class and split, find copies, near copies and oddities, and compare with the official counts."""
    from fer_bench.data.check import check as check_pack
    from fer_bench.data.check_text import report
    from fer_bench.runs.faces import cached_pack
    from fer_bench.runs.request import Request
    from fer_bench.runs.spec import parse_settings

    if "," in dataset or dataset == "all":
        raise UserError(f"data check looks at one dataset at a time, found '{dataset}'")
    if faces and not html:
        raise UserError("--faces draws faces in the page of --html FILE, which is not given")
    if html and html.is_dir():
        raise UserError(f"--html {html}: is a folder; give the file to write, for example {html / 'check.html'}")
    request = Request((), (), (dataset,), (), cache, parse_roots(data_root), plugins=tuple(plugin or ()),
                      data_options=parse_settings("--data-option", data_option or []))
    asked = request.asked()[0]
    found = check_pack(cached_pack(asked, cache, pack_size, say), say)
    print(report(found))
    if html:
        _write_page(html, found, asked.info, faces)


def _write_page(file: Path, found: Check, info: DatasetInfo, faces: bool) -> None:
    """Write the page beside its place and rename it there. Raises UserError where that cannot be."""
    from fer_bench.report.data_page import may_draw, page
    from fer_bench.runs.store import write_whole

    text = page(found, faces or may_draw(info))
    try:
        write_whole(file, text)
    except OSError as error:
        raise UserError(f"--html {file}: cannot be written ({error.strerror}); give a file in a folder you may write "
                        "to, on a disk with room") from None
    say(f"wrote {file} ({len(text.encode()) / 2**20:.1f} MiB)")


@app.command("list", epilog="Example:\n\nrun_bench.py data list --cache ~/scratch/cache")
def list_(cache: Cache = CACHE) -> None:
    """Show the packs in the cache: images, size, where from, when used; damaged and half-built ones, too."""
    import time

    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from fer_bench.data.inventory import entries

    found = entries(cache)
    table = Table(title=f"packs in {printable(str(cache))}", box=box.SIMPLE_HEAD, title_justify="left")
    for column in ("pack", "images", "pixels", "MB", "last used", "from", "state"):
        table.add_column(column, overflow="fold", justify="right" if column in ("images", "MB") else "left")
    for one in found:
        table.add_row(one.name, f"{one.images:,}" if one.images else "", one.pixels, f"{one.bytes / 1e6:,.1f}",
                      time.strftime("%Y-%m-%d %H:%M", time.localtime(one.used)), Text(printable(one.source)),
                      Text(printable(one.state)))
    if found:
        Console(width=None if Console().is_terminal else 160).print(table)
    print(f"{len(found)} in {printable(str(cache))}, {sum(one.bytes for one in found) / 1e6:,.1f} MB")


@app.command(epilog="Examples:\n\nrun_bench.py data remove rafdb\n\nrun_bench.py data remove 3f9c2b\n\n"
                    "run_bench.py data remove --keep 20")
def remove(
    packs: Annotated[list[str] | None, typer.Argument(help="Datasets, packs that 'data list' shows, or the first "
                                                           "digits of their keys.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All packs.")] = False,
    keep: Annotated[float | None, typer.Option("--keep", help="Those used longest ago, until at most so many GB "
                                                              "stay.")] = None,
    cache: Cache = CACHE,
) -> None:
    """Remove packs from the cache; they are made anew when they are needed."""
    from fer_bench.data import inventory

    if bool(packs) + everything + (keep is not None) != 1:
        raise UserError("data remove: expected names of packs, or --all, or --keep GB: one of the three "
                        "('data list' shows the packs)")
    if keep is not None and not 0 <= keep < 1e9:
        raise UserError(f"--keep {keep:g}: expected a number of GB, 0 or more")
    found = inventory.entries(cache)
    if keep is not None:
        unwanted = inventory.least_used(found, round(keep * 1e9))
    else:
        unwanted = found if everything else inventory.chosen(found, packs or ())
    gone, stay = inventory.remove(unwanted)
    for one in gone:
        print(f"removed {one.name} ({one.mb}{f', {printable(one.state)}' if one.state else ''})")
    for one in stay:
        say(f"{one.name} stays: a process is building it")
    freed, all_bytes = (sum(one.bytes for one in some) / 1e6 for some in (gone, found))
    print(f"freed {freed:,.1f} MB; {all_bytes - freed:,.1f} MB of packs stay in {printable(str(cache))}")
