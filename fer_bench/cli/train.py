"""run: train and evaluate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fer_bench.cli.options import (
    CACHE,
    RESULTS,
    WORK,
    Cache,
    DataOptions,
    Datasets,
    Folds,
    Methods,
    NoiseList,
    PackSize,
    Plugins,
    Protocols,
    Results,
    Roots,
    ScoreTable,
    Seeds,
    Weights,
    Work,
    check_card,
    check_choice,
    check_device,
    check_together,
    parse_roots,
    say,
)

if TYPE_CHECKING:
    from fer_bench.cluster.options import Array

EPILOG = ("Examples:\n\nrun_bench.py --method nla --protocol noise30\n\n"
          "run_bench.py --method all --protocol clean,noise30 --seeds 5 --jobs 2\n\n"
          "run_bench.py --method nla --protocol noise30 --dataset rafdb --data-root ~/data/RAF-DB "
          "--weights resnet18_msceleb.pth\n\n"
          "run_bench.py --method all --protocol clean,noise30 --seeds 3 --dry-run --card h100\n\n"
          "run_bench.py --method nla --recipe paper --profile\n\n"
          "run_bench.py --method all --protocol clean,noise30 --seeds 10 --tasks 4 "
          "--slurm partition=gpu,gpus_per_node=1,timeout_min=240")


def run(
    method: Methods,
    protocol: Protocols = "clean",
    dataset: Datasets = "synthetic",
    data_root: Roots = None,
    data_option: DataOptions = None,
    folds: Folds = 0,
    test_on: Annotated[str | None, typer.Option("--test-on", help="Test on these datasets, too.")] = None,
    test_subset: Annotated[list[str] | None, typer.Option("--test-subset", help="NAME=FILE of ids, or 'unique': "
                                                          "accuracy on those test faces, too; repeatable.")] = None,
    test_corruptions: Annotated[bool, typer.Option("--test-corruptions", help="Test on corrupted faces, too.")] = False,
    test_votes: Annotated[bool, typer.Option("--test-votes", help="Compare with the annotators' votes, too.")] = False,
    test_training: Annotated[bool, typer.Option("--test-training", help="Keep which wrong labels were learnt by heart, "
                                                "and which faces weigh least and most.")] = False,
    seeds: Seeds = "1",
    recipe: Annotated[str | None, typer.Option("--recipe", help="Recipe or YAML file; default by dataset.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="Hyper-parameter name=value; repeatable.")] = None,
    recipe_settings: Annotated[list[str] | None, typer.Option("--set-recipe", help="Recipe key=value.")] = None,
    precision: Annotated[str | None, typer.Option(help="fp32, tf32 or bf16 instead of the recipe's.")] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Allow what does not repeat bit for bit; own run id.")] = False,
    weights: Weights = "none",
    track: Annotated[str, typer.Option(help="fair: one recipe for all; paper: each method's own.")] = "fair",
    jobs: Annotated[int, typer.Option(min=1, help="Runs at a time, each on one core.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of a run instead of one; own run id.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1.")] = "auto",
    engine: Annotated[str, typer.Option(help="auto, eager, graph (CUDA) or compiled (CUDA, with --fast).")] = "auto",
    pack: Annotated[int, typer.Option(min=1, help="Runs at a time on one GPU, in one process.")] = 1,
    save_every: Annotated[float, typer.Option(min=0, help="Seconds of work that a kill may cost.")] = 60.0,
    profile: Annotated[bool, typer.Option("--profile", help="Show where the time goes; makes no record.")] = False,
    slurm: Annotated[str | None, typer.Option(help="Submit to Slurm: key=value,... or a YAML file.")] = None,
    executor: Annotated[str | None, typer.Option(help="Submit through submitit: slurm, local or debug.")] = None,
    tasks: Annotated[int, typer.Option(min=0, help="Tasks of the array; 0: up to 8.")] = 0,
    snapshot: Annotated[bool, typer.Option("--snapshot", help="Tasks run the present commit, in a worktree.")] = False,
    retry: Annotated[str, typer.Option(help="'failed': run failed runs again.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list the runs and what they will take.")] = False,
    card: Annotated[str | None, typer.Option(help="With --dry-run: a GPU to tell the time of: h100, rtx4090.")] = None,
    results: Results = RESULTS,
    work: Work = WORK,
    cache: Cache = CACHE,
    plugin: Plugins = None,
    noise_list: NoiseList = None,
    scores: ScoreTable = None,
    pack_size: PackSize = None,
) -> None:
    """Train and evaluate methods under protocols; what is done already is not done again."""
    from fer_bench.cli import commands
    from fer_bench.runs.further import parse_subsets
    from fer_bench.runs.request import expand
    from fer_bench.runs.settings import ENGINES, Settings
    from fer_bench.runs.spec import parse_settings
    from fer_bench.runs.store import Store

    check_choice("--track", track, ("fair", "paper"))
    check_choice("--retry", retry, ("", "failed"))
    check_choice("--engine", engine, ENGINES)
    check_device(device)
    short = {"precision": precision, "fast": "true" if fast else None, "threads": threads and str(threads)}
    changes = parse_settings("--set-recipe", recipe_settings or []) | {k: v for k, v in short.items() if v}
    request = commands.make_request(
        method=method, protocol=protocol, dataset=dataset, seeds=seeds, cache=cache, roots=parse_roots(data_root),
        recipe=recipe, settings=parse_settings("--set", settings or []), recipe_settings=changes, weights=weights,
        track=track, plugins=tuple(plugin or ()), noise_list=noise_list, pack_size=pack_size, scores=scores,
        data_options=parse_settings("--data-option", data_option or []), folds=folds,
        test_on=tuple(expand("test-on", test_on, lambda: ("all",)) if test_on is not None else ()),
        test_subsets=parse_subsets(test_subset or []), test_corruptions=test_corruptions, test_votes=test_votes,
        test_training=test_training)
    how = Settings(Store(results, work), device, jobs, engine, pack, save_every)
    array = submission(slurm, executor, tasks, snapshot)
    check_together(array is not None, {"--tasks": bool(tasks), "--snapshot": snapshot},
                   {"--jobs": jobs > 1, "--profile": profile})
    check_card(card, dry_run)
    if profile:
        commands.profile(request, how, say)
    elif dry_run:
        commands.dry_run(request, how, retry=bool(retry), card=card, say=say, array=array)
    else:
        raise typer.Exit(commands.run(request, how, retry=bool(retry), say=say, array=array))


def submission(slurm: str | None, executor: str | None, tasks: int, snapshot: bool) -> Array | None:
    """The array that was asked for; None if the runs are to be done here. Raises UserError."""
    from fer_bench.cluster.options import EXECUTORS, Array, parse_cluster

    if slurm is None and executor is None:
        return None
    check_choice("--executor", executor or "slurm", EXECUTORS)
    return Array(executor or "slurm", parse_cluster(slurm or ""), tasks, snapshot)
