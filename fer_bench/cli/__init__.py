"""The command line. Each command is a thin wrapper: it reads options, calls one function, prints."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from fer_bench.cli import data, export, judge, look, manage, report, scores, train, weights
from fer_bench.cli.options import say
from fer_bench.errors import UserError, unknown

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False,
                  context_settings={"help_option_names": ["-h", "--help"]},
                  help="Compare training methods for facial-expression recognition fairly.\n\n"
                       "[b]run_bench.py --method nla --protocol noise30[/b] trains and evaluates: 'run' may be left "
                       "out.")
app.command(epilog=train.EPILOG)(train.run)
app.add_typer(export.app)
app.add_typer(judge.app)
app.add_typer(look.app)
app.add_typer(manage.app)
app.add_typer(report.app)
app.add_typer(scores.app)
app.add_typer(data.app, name="data")
app.add_typer(weights.app, name="weights")

# The parser's base of all usage errors; typer carries click inside itself or beside it, depending on its version.
USAGE_ERROR: Any = typer.BadParameter.__mro__[2]


def command_names() -> list[str]:
    """The commands of run_bench.py itself."""
    parts = (app, export.app, judge.app, look.app, manage.app, report.app, scores.app)
    commands = [command for part in parts for command in part.registered_commands]
    return [command.name or command.callback.__name__ for command in commands if command.callback]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 some run failed, 2 bad input, 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0].startswith("-") and words[0] not in ("-h", "--help"):
        words = ["run", *words]
    # For --threads N, and before torch is loaded: threads that wait for each other shall sleep after a short while.
    # Torch's default, spinning, leaves a tenth of the speed on a busy machine (docs/speed.md).
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    gc.disable()  # the million objects that imports make are here to stay: looking through them takes a second of the
    # start and of the end; ``worker.work`` turns it on again
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
        return str(unknown("command", found[1], [*command_names(), "data", "check", "remove", "weights", "get"]))
    return line


def fail(line: str, status: int) -> None:
    """Print one line and exit."""
    line = " ".join(line.split())
    if line:
        say(f"error: {line}" if status == 2 else line)
    sys.exit(status)


if __name__ == "__main__":
    main()
