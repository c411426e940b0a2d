"""A command under a time limit: its whole process group ends with it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from common import ROOT

GRACE = 15.0  # seconds between the wish to end, in which states are saved, and the end
LAST = 5.0  # longest wait for what was killed to be gone


@dataclass(frozen=True)
class Ended:
    """How a command ended. code: its exit status; None if its time was over."""

    code: int | None
    seconds: float


def run(words: Sequence[str], log: Path, limit: float, more: dict[str, str] | None = None,
        tick: Callable[[float], None] = lambda seconds: None, grace: float = GRACE) -> Ended:
    """Run a command in a process group of its own, its output in ``log``. ``tick`` is told its seconds every minute.

    Whatever ends it, be it itself, the limit or Ctrl-C, nothing of the group is left afterwards.
    """
    start = time.perf_counter()
    with log.open("wb") as file:
        child = subprocess.Popen(words, cwd=ROOT, env={**os.environ, **(more or {})}, stdin=subprocess.DEVNULL,
                                 stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        while (left := limit - (time.perf_counter() - start)) > 0:
            try:
                return Ended(child.wait(min(left, 60)), time.perf_counter() - start)
            except subprocess.TimeoutExpired:
                if (seconds := time.perf_counter() - start) < limit:
                    tick(seconds)
        return Ended(None, time.perf_counter() - start)
    finally:
        end_group(child, grace)


def end_group(child: subprocess.Popen, grace: float) -> None:
    """Ask the leader's group to end, give the leader some seconds to save, then kill what is left of the group."""
    try:
        if child.poll() is None:
            send(child, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(grace)
    finally:  # a second Ctrl-C does not wait
        send(child, signal.SIGKILL)
        child.wait()
        end = time.monotonic() + LAST
        while send(child, 0) and time.monotonic() < end:  # they give the card's memory back as they die
            time.sleep(0.02)


def send(child: subprocess.Popen, number: int) -> bool:
    """A signal to all of a child's group; False if none of it is left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: only zombies are left
        os.killpg(child.pid, number)
        return True
    return False
