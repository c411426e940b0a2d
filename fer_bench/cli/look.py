"""Commands that look at what is there: table, list, status, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fer_bench.cli.options import (
    CACHE,
    RESULTS,
    WORK,
    Cache,
    OnlyCode,
    OnlyData,
    OnlyDataset,
    OnlyMethod,
    OnlyProtocol,
    OnlyRecipe,
    OnlySeeds,
    OnlyTrack,
    OnlyWeights,
    Plugins,
    Results,
    Work,
    check_choice,
    say,
)
from fer_bench.errors import UserError

app = typer.Typer()


@app.command(epilog="Examples:\n\nrun_bench.py table\n\nrun_bench.py table --layout noise --format latex --select best")
def table(
    layout: Annotated[str, typer.Option(help="comparison, noise, imbalance, per-class, cross, subsets, "
                                             "corruptions or votes.")] = "comparison",
    format: Annotated[str, typer.Option(help="markdown, latex or csv.")] = "markdown",
    select: Annotated[str, typer.Option(help="The epoch: last, best (on test), val; auto: val or last.")] = "auto",
    method: OnlyMethod = None,
    protocol: OnlyProtocol = None,
    dataset: OnlyDataset = None,
    recipe: OnlyRecipe = None,
    track: OnlyTrack = None,
    code: OnlyCode = None,
    data: OnlyData = None,
    weights: OnlyWeights = None,
    seeds: OnlySeeds = None,
    sort: Annotated[str, typer.Option(help="gain, overall, mean, passes or method; gain where the baseline has run, "
                                           "else accuracy.")] = "",
    top: Annotated[int | None, typer.Option(min=1, help="Only the N best of each block, and the baseline.")] = None,
    by_family: Annotated[bool, typer.Option("--by-family", help="A block for each family of methods.")] = False,
    published: Annotated[bool, typer.Option("--published", help="Add published numbers with their sources.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write every layout and format into this folder.")] = None,
    results: Results = RESULTS,
) -> None:
    """Make tables from the records."""
    from fer_bench.cli import reading
    from fer_bench.tables import Order

    only_one = {"--layout": layout != "comparison", "--format": format != "markdown", "--select": select != "auto",
                "--sort": bool(sort), "--top": top is not None, "--by-family": by_family, "--published": published}
    if out and (given := next((option for option, there in only_one.items() if there), None)):
        raise UserError(f"{given} with --out: --out writes every layout in every format, with published numbers, each "
                        f"in its usual order; leave {given} out, or --out and save what is printed")
    filters = {"methods": method, "protocols": protocol, "datasets": dataset, "recipe": recipe, "track": track,
               "code": code, "weights": weights, "seeds": seeds, "data": data}
    how = {"layout": layout, "select": select, "published": "all" if published else "",
           "order": Order(sort, top or 0, by_family)}
    print(reading.table(results, filters, how, format, out, say))


@app.command("list", epilog="Examples:\n\nrun_bench.py list\n\nrun_bench.py list methods\n\n"
                            "run_bench.py list methods --paper\n\nrun_bench.py list --json\n\n"
                            "run_bench.py list methods --markdown --results results/drawn-faces")
def list_(
    what: Annotated[str, typer.Argument(help="methods, protocols, datasets, recipes or all.")] = "all",
    markdown: Annotated[bool, typer.Option("--markdown", help="Methods only: as docs/methods.md.")] = False,
    paper: Annotated[bool, typer.Option("--paper", help="Methods only: how each source trains it (--track "
                                                        "paper); with --markdown as docs/paper-recipes.md.")] = False,
    json: Annotated[bool, typer.Option("--json", help="As JSON, every number exact.")] = False,
    plugin: Plugins = None,
    results: Results = RESULTS,
) -> None:
    """List what there is to choose from."""
    from fer_bench.cli import commands
    from fer_bench.library import listing

    plugins = tuple(plugin or ())
    check_choice("list", what, ("all", *listing.KINDS))
    for option in ["--markdown"] * markdown + ["--paper"] * paper:
        check_choice(f"list {option}", what, ("methods",))
    if json and (markdown or paper):
        raise UserError("list --json: has all that --markdown and --paper say; leave the other option out")
    if json:
        print(listing.as_json(what, plugins, say))
    elif markdown:
        print(commands.paper_in_markdown(plugins, say) if paper
              else commands.methods_in_markdown(plugins, results, say), end="")
    elif paper:
        listing.show_paper(plugins, say)
    else:
        listing.show(what, plugins, say)


@app.command(epilog="Examples:\n\nrun_bench.py status\n\nrun_bench.py status --watch")
def status(
    watch: Annotated[bool, typer.Option("--watch", help="Look again every few seconds, until nothing runs.")] = False,
    results: Results = RESULTS,
    work: Work = WORK,
) -> None:
    """Count runs by state: what runs and for how long yet, what failed and why."""
    from fer_bench.runs import status as status_

    status_.show(results, work, 5.0 if watch else 0.0, say)


@app.command(epilog="Examples:\n\nrun_bench.py doctor\n\nrun_bench.py doctor --no-measure")
def doctor(
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1.")] = "auto",
    no_measure: Annotated[bool, typer.Option("--no-measure", help="Leave out the speed of each precision.")] = False,
    results: Results = RESULTS,
    work: Work = WORK,
    cache: Cache = CACHE,
) -> None:
    """Say what this machine does fast, what each precision costs here, and what is missing."""
    from fer_bench import doctor as doctor_

    raise typer.Exit(doctor_.show(device, results, work, cache, no_measure))
