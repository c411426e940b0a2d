"""Work in processes of their own, some at a time: pretending for long in one process has been seen to crash it.

One process is started afresh and imports all that is needed; it forks a child for each piece of work, which is cheap,
and safe since it has no threads. Where a child dies the work is done again.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

import torch

TRIES = 3


class Crashed(Exception):
    """Some work ended its process each time; the text says how."""


def apart(function: Callable[..., Any], jobs: Sequence[tuple[Any, ...]], at_once: int = 2,
          ready: Callable[[], Any] | None = None) -> Iterator[tuple[int, Any]]:
    """``function(*job)`` of each job in a child, as (place among the jobs, what it returned) in the order of their
    ends. RuntimeError with what it raised, or Crashed, is given in place of what it returned.

    function, ready: a module's, so that other processes find them. Importing that module and calling ``ready`` is done
    once for all children, which begin with what that leaves in memory.
    """
    here, there = multiprocessing.Pipe()
    arguments = there, function, list(jobs), at_once, ready
    nursery = multiprocessing.get_context("spawn").Process(target=serve, args=arguments)
    nursery.start()
    there.close()
    try:
        for _ in jobs:
            yield here.recv()
    except EOFError:
        raise Crashed("the process that starts the others ended") from None
    finally:
        nursery.terminate()
        nursery.join()


def serve(pipe: Connection, function: Callable[..., Any], jobs: list[tuple[Any, ...]], at_once: int,
          ready: Callable[[], Any] | None) -> None:
    """The process that forks: keeps ``at_once`` children at work until all jobs are done."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # a real card beside the pretended one: torch would mix their tensors
    torch.set_num_threads(1)
    if ready is not None:
        ready()
    gc.freeze()  # what is here stays, in all children
    waiting = [(place, 1) for place in reversed(range(len(jobs)))]
    working: dict[Any, tuple[Any, int, int]] = {}  # by the parent's end of the pipe
    while waiting or working:
        while waiting and len(working) < at_once:
            place, attempt = waiting.pop()
            answer, process = start(function, jobs[place])
            working[answer] = process, place, attempt
        answers: list[Any] = wait(list(working))
        for answer in answers:
            process, place, attempt = working.pop(answer)
            try:
                pipe.send((place, answer.recv()))
            except EOFError:
                process.join()
                if attempt < TRIES:
                    waiting.append((place, attempt + 1))
                else:
                    pipe.send((place, Crashed(f"its process ended {TRIES} times, with status {process.exitcode}")))
            process.join()


def start(function: Callable[..., Any], job: tuple[Any, ...]) -> tuple[Connection, Any]:
    """A child at work, and where its answer will come."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(there, function, job), daemon=True)
    process.start()
    there.close()
    return here, process


def work(pipe: Connection, function: Callable[..., Any], job: tuple[Any, ...]) -> None:
    """The child: do one job and send what came of it."""
    warnings.filterwarnings("ignore")
    with contextlib.suppress(BrokenPipeError):  # nobody waits any more
        try:
            pipe.send(function(*job))
        except Exception as error:  # of a plug-in's own class, maybe, which no other process could read
            pipe.send(RuntimeError(f"{type(error).__name__}: {error}"))
