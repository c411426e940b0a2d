"""Kills, races, frozen processes, clocks: nothing is lost and nothing is done twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from faulty import SEEDS, check_finished, forked, forked_status, leftovers, store_of, undisturbed, words
from tinyfolder import Place, call

from fer_bench.cli import main
from fer_bench.runs import claims

pytestmark = pytest.mark.faults
COUNTING = '''
import os

from torch.nn import functional as F

from fer_bench.method import Method
from fer_bench.registry import register


@register("counted")
class Counted(Method):
    """Writes a line into a file each time a run is begun, and is slow if the file's name says so."""

    def __init__(self, context):
        super().__init__(context)
        self.begun = False

    def loss(self, batch, clock):
        if not self.begun:
            self.begun = True
            with open("LOG", "a") as file:
                file.write(f"{os.getpid()}\\n")
        return F.cross_entropy(self.net(batch.images), batch.labels)
'''


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    return undisturbed(tmp_path_factory.mktemp("faults"))


def kill_self(*arguments: Any, **options: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_inside_a_checkpoint(after: int) -> None:
    """Half a file is written, then the process is gone."""
    calls, save = iter(range(10**6)), torch.save

    def half(state: Any, file: Any) -> None:
        if next(calls) < after:
            save(state, file)
        else:
            file.write(b"x" * 1000)
            file.flush()
            kill_self()

    torch.save = half


def die_inside(name: str, after: int) -> None:
    """The process is gone when it calls a function of ``os`` for the n-th time: link, replace or fsync."""
    calls, function = iter(range(10**6)), getattr(os, name)
    setattr(os, name, lambda *a, **k: function(*a, **k) if next(calls) < after else kill_self())


def die_after_link(after: int) -> None:
    """The process is gone just after the n-th link: the claim's or the record's, whose other name is still there."""
    calls, link = iter(range(10**6)), os.link

    def last(*arguments: Any, **options: Any) -> None:
        link(*arguments, **options)
        if next(calls) == after:
            kill_self()

    os.link = last


WAYS: list[Callable[[], None]] = [
    lambda: die_inside_a_checkpoint(0), lambda: die_inside_a_checkpoint(1), lambda: die_inside("link", 0),
    lambda: die_inside("link", 1), lambda: die_inside("link", 2), lambda: die_inside("replace", 4),
    lambda: die_inside("replace", 5), lambda: die_inside("fsync", 1), lambda: die_inside("fsync", 4),
    lambda: die_after_link(0), lambda: die_after_link(1), lambda: die_after_link(3)]


def killed(place: Place, name: str, way: Callable[[], None] | None, wait: float) -> bool:
    """Run the grid in a process that is killed: inside a write (``way``), or after so many seconds. False if it was
    done before."""
    process = forked(lambda: (way() if way else None, main(words(place, name))))
    if way is None:
        time.sleep(wait)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


@pytest.mark.slow
def test_kills_lose_nothing_and_repeat_nothing(place, figures):
    start, rng, inside, at_random, name, grids = time.perf_counter(), random.Random(5), 0, 0, "killed", 1
    assert forked_status(lambda: main(words(place, "timed"))) == 0
    span = time.perf_counter() - start
    while inside < 2 * len(WAYS) or at_random < 30:
        way = WAYS[inside % len(WAYS)] if inside < 2 * len(WAYS) else None
        if killed(place, name, way, rng.uniform(0.05, span / 2)):
            inside, at_random = (inside + 1, at_random) if way else (inside, at_random + 1)
        else:  # all was done before the kill: look at it and begin anew
            check_finished(place, name)
            name, grids = f"killed{grids}", grids + 1
    assert call(*words(place, name)) == 0
    check_finished(place, name)
    figures(f"{at_random} kills at random moments and {inside} inside writes of checkpoints, claims and records: "
            f"{grids} times {SEEDS} runs, each as undisturbed")


def counted(place: Place, tmp_path: Path, name: str, *more: str) -> tuple[list[str], Path]:
    """Arguments of 40 short runs that write down who begins them."""
    plugin, log = tmp_path / "counted.py", tmp_path / "log"
    log.touch()
    plugin.write_text(COUNTING.replace("LOG", str(log)))
    return place.words("--method", "counted", "--plugin", str(plugin), "--protocol", "clean", *more, results=name), log


@pytest.mark.slow
def test_sixteen_processes_race_for_forty_runs_and_each_is_done_once(place, tmp_path, figures):
    arguments, log = counted(place, tmp_path, "race", "--seeds", "40", "--set-recipe", "epochs=1")
    racers = [forked(lambda: main(arguments)) for _ in range(16)]
    for racer in racers:
        racer.join(300)
    begun = log.read_text().split()
    assert len(place.records("race")) == 40 and len(begun) == 40, f"{len(begun)} runs were begun"
    assert leftovers(place, "race") == set()
    figures(f"16 processes, 40 runs: each begun once, by {len(set(begun))} of them")


def test_a_frozen_worker_is_taken_over_and_does_no_harm_when_it_wakes(place, monkeypatch, figures):
    monkeypatch.setattr(claims, "STALE_SECONDS", 1.5)
    monkeypatch.setattr(claims, "BEAT_SECONDS", 0.2)
    arguments = words(place, "frozen", "--set-recipe", "epochs=40")
    arguments[arguments.index(str(SEEDS))] = "1"
    frozen = forked(lambda: main(arguments))
    wait_for(lambda: list(store_of(place, "frozen").work.glob("??/*/checkpoint.pt")))
    os.kill(frozen.pid, signal.SIGSTOP)
    time.sleep(2)
    assert forked_status(lambda: main(arguments)) == 0
    before = place.records("frozen")
    os.kill(frozen.pid, signal.SIGCONT)
    frozen.join(60)
    assert frozen.exitcode in (0, 1) and place.records("frozen") == before and len(before) == 1
    assert leftovers(place, "frozen") == set() and not list(place.root.glob("frozen/**/*conflict*"))
    figures("a frozen worker was taken over after 1.5 s without a heartbeat; on waking it changed nothing")


def wait_for(condition: Callable[[], Any], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def test_a_clock_that_goes_back_an_hour_robs_nobody_and_stops_nothing(place, monkeypatch, capsys):
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 3600)
    arguments = words(place, "clock")
    assert call(*arguments) == 0
    check_finished(place, "clock")
    capsys.readouterr()


