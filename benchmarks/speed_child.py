"""A child process per row: it builds what it measures, then waits for windows. Only one of them works at a time."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from speed_job import Job

ROOT = Path(__file__).resolve().parent.parent


class Failed(Exception):
    """A child could not do its work; the text says why."""


class Child:
    """The parent's end: started at once, ready after ``answer``."""

    def __init__(self, job: Job) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, inner = context.Pipe()
        before = os.environ.pop("OMP_NUM_THREADS", None)
        if job.threads:
            os.environ["OMP_NUM_THREADS"] = str(job.threads)  # read by the child when it imports torch
        try:
            self.process = context.Process(target=serve, args=(inner, job))
            self.process.start()
        finally:
            inner.close()
            os.environ.pop("OMP_NUM_THREADS", None)
            if before is not None:
                os.environ["OMP_NUM_THREADS"] = before

    def answer(self, timeout: float) -> dict[str, Any]:
        """What the child says next. Raises Failed when it fails, dies or says nothing in time."""
        try:
            if not self.pipe.poll(timeout):
                raise Failed(f"no answer within {timeout:.0f} s")
            said: dict[str, Any] = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(5)
            raise Failed(f"its process ended with status {self.process.exitcode}") from None
        if "error" in said:
            raise Failed(said["error"])
        return said

    def begin(self, seconds: float, lanes: int) -> None:
        """Start a window of ``lanes`` packed runs; ``answer`` gives its outcome."""
        with contextlib.suppress(OSError):  # ``answer`` says why
            self.pipe.send((seconds, lanes))

    def dismiss(self) -> None:
        """Ask the child to end."""
        with contextlib.suppress(OSError):
            self.pipe.send(None)

    def close(self) -> None:
        """End the child, kindly at first."""
        self.dismiss()
        self.pipe.close()
        self.process.join(10)
        if self.process.is_alive():
            self.process.terminate()
            self.process.join(10)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def once(job: Job, timeout: float) -> dict[str, Any]:
    """A job that is one answer and no windows, in a process of its own."""
    child = Child(job)
    try:
        return child.answer(timeout)
    finally:
        child.close()


def serve(pipe: Any, job: Job) -> None:
    """The child's end: build, then a window for each pair that comes, until None or the parent's end."""
    try:
        sys.path[:0] = [str(ROOT)]
        warnings.filterwarnings("ignore", message="This DataLoader will create")
        made = KINDS[job.kind](job)
        if isinstance(made, dict):
            pipe.send(made)
            return
        import torch

        pipe.send({"threads": torch.get_num_threads()})
        while (window := pipe.recv()) is not None:
            pipe.send(made.window(*window))
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        pass
    except BaseException as error:
        lines = [line for line in str(error).splitlines() if line.strip()] or [""]
        last = f" ... {lines[-1]}" if len(lines) > 1 else ""
        pipe.send({"error": f"{type(error).__name__}: {lines[0]}{last}"[:300]})


def _about(job: Job) -> Any:
    from speed_floors import about

    return about(job.device)


def _faces(job: Job) -> Any:
    from speed_data import TEST, TRAIN, make_faces, prepared

    train, test = (job.faces, max(job.faces // 4, 7)) if job.faces else (TRAIN, TEST)
    mean = make_faces(Path(job.folder), train, test)
    data = prepared(Path(job.folder))
    return {"train": len(data.train), "test": len(data.test), "mean_jpeg_bytes": mean}


def _usual(job: Job) -> Any:
    from speed_usual import Usual

    return Usual(job)


def _kornia(job: Job) -> Any:
    from speed_usual import Kornia

    return Kornia(job)


def _engine(job: Job) -> Any:
    from speed_engine import Engine

    return Engine(job)


def _equal(job: Job) -> Any:
    from speed_engine import packed_equals_solo

    return packed_equals_solo(job)


def _runs(job: Job) -> Any:
    from speed_engine import whole_runs

    return whole_runs(job)


KINDS: dict[str, Callable[[Job], Any]] = {
    "about": _about, "faces": _faces, "usual": _usual, "kornia": _kornia, "engine": _engine, "equal": _equal,
    "runs": _runs}
