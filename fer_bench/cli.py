"""The command line. Each command is a thin wrapper: it reads options, calls one function, prints."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from fer_bench.errors import UserError, unknown

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False,
                  context_settings={"help_option_names": ["-h", "--help"]},
                  help="Compare training methods for facial-expression recognition fairly.\n\n"
                       "[b]run_bench.py --method nla --protocol noise30[/b] trains and evaluates: 'run' may be left "
                       "out.")
data_app = typer.Typer(no_args_is_help=True, help="Look at datasets.")
app.add_typer(data_app, name="data")

Methods = Annotated[str, typer.Option("--method", help="Methods, comma-separated, or 'all'.")]
Protocols = Annotated[str, typer.Option("--protocol", help="Protocols or YAML files, comma-separated, or 'all'.")]
Datasets = Annotated[str, typer.Option("--dataset", help="Datasets, comma-separated.")]
Root = Annotated[Path | None, typer.Option("--data-root", help="Folder or .zip of the dataset.")]
Seeds = Annotated[str, typer.Option("--seeds", help="A count (5: seeds 0 to 4) or a list (0,3,7).")]
Results = Annotated[Path, typer.Option("--results", help="Records and tables.")]
Work = Annotated[Path, typer.Option("--work", help="Checkpoints, claims, errors.")]
Cache = Annotated[Path, typer.Option("--cache", help="Decoded datasets.")]
Plugins = Annotated[list[Path] | None, typer.Option("--plugin", help="A Python file with more methods; repeatable.")]
NoiseList = Annotated[Path | None, typer.Option("--noise-list", help="File of a protocol that reads a noise list.")]
PackSize = Annotated[int | None, typer.Option("--pack-size", help="Store faces at this many pixels.")]

# The parser's base of all usage errors; typer carries click inside itself or beside it, depending on its version.
USAGE_ERROR: Any = typer.BadParameter.__mro__[2]
RESULTS, WORK, CACHE = Path("results"), Path("work"), Path("cache")


def say(line: str) -> None:
    """A line for the user that is not the command's result."""
    print(line, file=sys.stderr, flush=True)


@app.command(epilog="Examples:\n\nrun_bench.py --method nla --protocol noise30\n\n"
                    "run_bench.py --method all --protocol clean,noise30 --seeds 5 --jobs 2\n\n"
                    "run_bench.py --method nla --protocol noise30 --dataset rafdb --data-root ~/data/RAF-DB "
                    "--weights resnet18_msceleb.pth")
def run(
    method: Methods,
    protocol: Protocols = "clean",
    dataset: Datasets = "synthetic",
    data_root: Root = None,
    seeds: Seeds = "1",
    recipe: Annotated[str | None, typer.Option("--recipe", help="Recipe or YAML file; default by dataset.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="Hyper-parameter name=value; repeatable.")] = None,
    recipe_settings: Annotated[list[str] | None, typer.Option("--set-recipe", help="Recipe key=value.")] = None,
    precision: Annotated[str | None, typer.Option(help="fp32, tf32 or bf16 instead of the recipe's.")] = None,
    weights: Annotated[str, typer.Option(help="Checkpoint of the backbone, 'imagenet' or 'none'.")] = "none",
    track: Annotated[str, typer.Option(help="fair: one recipe for all; paper: each method's own.")] = "fair",
    jobs: Annotated[int, typer.Option(min=1, help="Runs at a time, each on one core.")] = 1,
    threads: Annotated[int, typer.Option(min=0, help="Threads of a run; 0: all cores, one when several run.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1.")] = "auto",
    retry: Annotated[str, typer.Option(help="'failed': run failed runs again.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list the runs and their states.")] = False,
    results: Results = RESULTS,
    work: Work = WORK,
    cache: Cache = CACHE,
    plugin: Plugins = None,
    noise_list: NoiseList = None,
    pack_size: PackSize = None,
) -> None:
    """Train and evaluate methods under protocols; what is done already is not done again."""
    from fer_bench import commands
    from fer_bench.spec import parse_settings

    check_choice("--track", track, ("fair", "paper"))
    check_choice("--retry", retry, ("", "failed"))
    changes = parse_settings("--set-recipe", recipe_settings or [])
    if precision:
        changes["precision"] = precision
    request = commands.make_request(
        method=method, protocol=protocol, dataset=dataset, seeds=seeds, cache=cache, root=data_root, recipe=recipe,
        settings=parse_settings("--set", settings or []), recipe_settings=changes, weights=weights, track=track,
        plugins=tuple(plugin or ()), noise_list=noise_list, pack_size=pack_size)
    status = commands.run(request, results=results, work=work, device=device, jobs=jobs, threads=threads,
                          retry=bool(retry), dry_run=dry_run, say=say)
    raise typer.Exit(status)


@app.command(epilog="Examples:\n\nrun_bench.py table\n\nrun_bench.py table --layout noise --format latex --select best")
def table(
    layout: Annotated[str, typer.Option(help="comparison, noise, imbalance or per-class.")] = "comparison",
    format: Annotated[str, typer.Option(help="markdown, latex or csv.")] = "markdown",
    select: Annotated[str, typer.Option(help="The epoch: last, best (on the test set) or val.")] = "last",
    method: Annotated[str | None, typer.Option("--method", help="Only these methods.")] = None,
    protocol: Annotated[str | None, typer.Option("--protocol", help="Only these protocols.")] = None,
    dataset: Annotated[str | None, typer.Option("--dataset", help="Only these datasets.")] = None,
    recipe: Annotated[str | None, typer.Option("--recipe", help="Only runs of this recipe.")] = None,
    track: Annotated[str | None, typer.Option("--track", help="Only runs of this track.")] = None,
    code: Annotated[str | None, typer.Option("--code", help="Only runs of this engine fingerprint.")] = None,
    weights: Annotated[str | None, typer.Option("--weights", help="Only runs from these weights.")] = None,
    seeds: Annotated[str | None, typer.Option("--seeds", help="Only these seeds.")] = None,
    published: Annotated[bool, typer.Option("--published", help="Add published numbers with their sources.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write every layout and format into this folder.")] = None,
    results: Results = RESULTS,
) -> None:
    """Make tables from the records."""
    from fer_bench import commands

    filters = {"methods": method, "protocols": protocol, "datasets": dataset, "recipe": recipe, "track": track,
               "code": code, "weights": weights, "seeds": seeds}
    print(commands.table(results, layout, format, select, filters, published, out, say))


@app.command("list", epilog="Examples:\n\nrun_bench.py list\n\nrun_bench.py list methods")
def list_(
    what: Annotated[str, typer.Argument(help="methods, protocols, datasets, recipes or all.")] = "all",
    plugin: Plugins = None,
) -> None:
    """List what there is to choose from."""
    from fer_bench import listing

    check_choice("list", what, ("all", *listing.KINDS))
    listing.show(what, tuple(plugin or ()), say)


@app.command(epilog="Example:\n\nrun_bench.py status")
def status(results: Results = RESULTS, work: Work = WORK) -> None:
    """Count runs by state, and show why runs failed."""
    from fer_bench import listing

    listing.show_status(results, work, say)


@app.command(epilog="Example:\n\nrun_bench.py export --protocol noise30 --dataset synthetic --seed 0 > noise30_0.csv")
def export(
    protocol: Protocols,
    dataset: Datasets = "synthetic",
    data_root: Root = None,
    seed: Annotated[int, typer.Option(min=0, help="The seed of the draw.")] = 0,
    cache: Cache = CACHE,
    noise_list: NoiseList = None,
    pack_size: PackSize = None,
) -> None:
    """Write a protocol's training labels as CSV (id,given,true), so that others can use the split."""
    from fer_bench import commands

    commands.export(protocol, dataset, data_root, seed, cache, noise_list, pack_size, say)


@data_app.command(epilog="Example:\n\nrun_bench.py data check --dataset ferplus7 --data-root data/ferplus")
def check(
    dataset: Datasets = "synthetic",
    data_root: Root = None,
    cache: Cache = CACHE,
    pack_size: PackSize = None,
) -> None:
    """Count faces per class and split, find duplicates, and compare with the official counts."""
    from fer_bench import commands

    commands.check_data(dataset, data_root, cache, pack_size, say)


def check_choice(option: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise UserError unless ``value`` is one of ``choices``."""
    from fer_bench.errors import near

    if value not in choices:
        raise UserError(f"{option} {value}: {near(value, [c for c in choices if c])}")


def command_names() -> list[str]:
    """The commands of run_bench.py itself."""
    return [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 some run failed, 2 bad input, 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0].startswith("-") and words[0] not in ("-h", "--help"):
        words = ["run", *words]
    with one_line_errors():
        status = app(words, prog_name=Path(sys.argv[0]).name, standalone_mode=False) or 0
        if status == 130:  # typer turns a KeyboardInterrupt into this
            raise KeyboardInterrupt
        sys.exit(status)


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn every expected failure into one line and an exit status."""
    try:
        yield
    except UserError as error:
        fail(str(error), 2)
    except USAGE_ERROR as error:
        fail(usage_line(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        fail("interrupted: every finished epoch is on disk, the same command goes on from there", 130)
    except BrokenPipeError:  # the reader of a pipe went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        fail(f"{error.filename or 'a file'}: {error.strerror or error}; check that it exists, can be read or written, "
             "and that the disk has room", 2)


def usage_line(error: Any) -> str:
    """A parser's complaint in one line, with near matches for an unknown command; empty after mere help."""
    line = " ".join(error.format_message().split())
    if found := re.match(r"No such command '(.*?)'", line):
        return str(unknown("command", found[1], [*command_names(), "data", "check"]))
    return line


def fail(line: str, status: int) -> None:
    """Print one line and exit."""
    line = " ".join(line.split())
    if line:
        say(f"error: {line}" if status == 2 else line)
    sys.exit(status)


if __name__ == "__main__":
    main()
