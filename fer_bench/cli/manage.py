"""Commands about runs that were begun or submitted: explain, verify, cancel, prune."""

from __future__ import annotations

from typing import Annotated

import typer

from fer_bench.cli.options import (
    CACHE,
    RESULTS,
    WORK,
    Cache,
    NoiseList,
    PackSize,
    Plugins,
    Results,
    Roots,
    ScoreTable,
    Weights,
    Work,
    parse_roots,
    say,
)
from fer_bench.errors import UserError

app = typer.Typer()


@app.command(epilog="Examples:\n\nrun_bench.py explain 4f2a\n\nrun_bench.py explain 4f2a 91c0")
def explain(
    runs: Annotated[list[str], typer.Argument(help="One run id, or two to compare; the first digits are enough.")],
    results: Results = RESULTS,
    work: Work = WORK,
) -> None:
    """Say what a run is and what the next call would do with it, or how two runs differ."""
    from fer_bench.runs import explain as explain_
    from fer_bench.runs.store import Store

    if len(runs) > 2:
        raise UserError(f"explain: found {len(runs)} ids, expected one, or two to compare")
    store = Store(results, work)
    found = [explain_.find(store, start) for start in runs]
    for run in found:
        print("\n".join(explain_.explain(store, run)))
    if len(found) == 2:
        specs = [about["spec"] if (about := store.spec(run)) else {} for run in found]
        rows = explain_.differences(*specs)
        print("\n".join(f"{key}: {one!r} | {other!r}" for key, one, other in rows) or "they do not differ")


@app.command(epilog="Example:\n\nrun_bench.py verify 4f2a --data-root ~/data/RAF-DB --weights resnet18_msceleb.pth")
def verify(
    run: Annotated[str, typer.Argument(help="The run's id; the first digits are enough.")],
    dataset: Annotated[str | None, typer.Option("--dataset", help="Its dataset, if it was folder: or csv:.")] = None,
    protocol: Annotated[str | None, typer.Option("--protocol", help="Its protocol's file, if it is your own.")] = None,
    recipe: Annotated[str | None, typer.Option("--recipe", help="Its recipe's file, if it is your own.")] = None,
    data_root: Roots = None,
    weights: Weights = "none",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1.")] = "auto",
    results: Results = RESULTS,
    work: Work = WORK,
    cache: Cache = CACHE,
    plugin: Plugins = None,
    noise_list: NoiseList = None,
    scores: ScoreTable = None,
    pack_size: PackSize = None,
) -> None:
    """Do a finished run again and compare the results bit for bit."""
    from fer_bench.runs import explain as explain_
    from fer_bench.runs.request import Request
    from fer_bench.runs.settings import Settings
    from fer_bench.runs.store import Store

    store = Store(results, work)
    base = Request((), (protocol,) if protocol else (), (dataset,) if dataset else (), (), cache,
                   parse_roots(data_root), recipe, weights=weights, plugins=tuple(plugin or ()),
                   noise_list=noise_list, pack_size=pack_size, scores=scores)
    found = explain_.find(store, run)
    equal = explain_.verify(store, found, base, Settings(store, device), say)
    print(f"{found}: {'the same bits' if equal else 'another result; it is kept beside the record as a conflict'}")
    raise typer.Exit(0 if equal else 1)


@app.command(epilog="Examples:\n\nrun_bench.py cancel\n\nrun_bench.py cancel 4711")
def cancel(
    jobs: Annotated[list[str] | None, typer.Argument(help="Numbers of submissions; none: all that are active.")] = None,
    work: Work = WORK,
) -> None:
    """End submitted jobs; their runs go on where they stopped when they are submitted again."""
    from fer_bench.runs.jobs import cancel as cancel_jobs

    ended = cancel_jobs(work, jobs or [])
    for job in ended:
        print(f"cancelled {job.executor} job {job.job} ({len(job.tasks)} task(s))")
    if not ended:
        say(f"nothing to cancel: no submission of {work} is active")


@app.command(epilog="Example:\n\nrun_bench.py prune --dry-run")
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be freed.")] = False,
    results: Results = RESULTS,
    work: Work = WORK,
) -> None:
    """Delete the checkpoints of finished runs."""
    from fer_bench.runs import explain as explain_
    from fer_bench.runs.store import Store

    runs, freed = explain_.prune(Store(results, work), dry_run)
    print(f"{'would free' if dry_run else 'freed'} {freed / 1e6:.1f} MB of {runs} finished run(s)")
