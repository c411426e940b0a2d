"""Each point in a process of its own, so that one's memory does not count for another. One at a time."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from scaling_memory import Group

HERE = Path(__file__).resolve().parent


class Failed(Exception):
    """A child could not do its work; the text says why."""


def ask(target: str, /, *, light: bool = False, group: Group | None = None, timeout: float = 3600.0,
        **arguments: Any) -> Any:
    """What ``module:function`` of this folder returns, called in a child process. Raises Failed.

    light: a spawned interpreter that imports what it needs; else one forked from a server that has imported torch.
    group: the child joins it before it imports anything.
    """
    context = multiprocessing.get_context("spawn" if light else "forkserver")
    if not light:
        context.set_forkserver_preload(["scaling_parts"])
    pipe, inner = context.Pipe()
    with surroundings():
        process = context.Process(target=serve, args=(inner, target, group, arguments), daemon=True)
        process.start()
    inner.close()
    try:
        if not pipe.poll(timeout):
            raise Failed(f"no answer within {timeout:.0f} s")
        kind, answer = pipe.recv()
        process.join(30)
    except (EOFError, OSError):
        process.join(30)
        raise Failed(f"its process was ended from outside, status {process.exitcode}") from None
    finally:
        pipe.close()
        if process.is_alive():
            process.kill()
            process.join()
    if kind == "error":
        raise Failed(answer)
    return answer


@contextlib.contextmanager
def surroundings() -> Any:
    """What a child finds in its environment: one thread, and this folder and the repository to import from."""
    wanted = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(
        [str(HERE), str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def serve(pipe: Any, target: str, group: Group | None, arguments: dict[str, Any]) -> None:
    """The child's end."""
    try:
        if group is not None:
            group.join()
        sys.path[:0] = [str(HERE), str(HERE.parent)]
        warnings.filterwarnings("ignore", category=UserWarning)
        module, _, function = target.partition(":")
        pipe.send(("answer", getattr(importlib.import_module(module), function)(**arguments)))
    except BaseException as error:
        text = next((line for line in str(error).splitlines() if line.strip()), "")
        with contextlib.suppress(OSError):  # the parent is gone
            pipe.send(("error", f"{type(error).__name__}: {text}"[:300]))
