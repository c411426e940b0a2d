"""Kills, races, frozen processes, full disks, damaged and merged folders: nothing is lost and nothing is done twice.

The processes are forked from this one, which has everything imported, and killed for real.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tinyfolder import Place, call, refused

from fer_bench import claims
from fer_bench.cli import main
from fer_bench.engine import checkpoint
from fer_bench.store import Store

pytestmark = pytest.mark.faults
FORK = multiprocessing.get_context("fork")
SEEDS = 4
KEPT = {"checkpoint.pt", "previous.pt", "spec.json", "progress.json"}  # what a finished run leaves in the work folder
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


def forked(function: Callable[[], Any]) -> Any:
    """Start a function in a forked process, silently."""
    def quiet() -> None:
        os.setpgid(0, 0)
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            function()

    process = FORK.Process(target=quiet)
    process.start()
    return process


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    torch.set_num_threads(1)
    place = Place(tmp_path_factory.mktemp("faults"), epochs=4)
    assert call(*words(place, "whole")) == 0
    return place


def words(place: Place, results: str, *more: str) -> list[str]:
    """A grid of four runs."""
    return place.words("--method", "nla", "--protocol", "noise30", "--seeds", str(SEEDS), *more, results=results)


def results_of(place: Place, name: str) -> dict[str, Any]:
    return {record["id"]: (record["result"], record["diagnosis"]) for record in place.records(name)}


def store_of(place: Place, name: str) -> Store:
    return Store(place.root / name, place.root / "work" / name)


def leftovers(place: Place, name: str) -> set[str]:
    """Files that should not be there after all runs are done."""
    store = store_of(place, name)
    found = {p.name for p in store.work.rglob("*") if p.is_file()} - KEPT
    return found | {p.name for p in store.results.rglob("*") if p.is_file() and p.suffix != ".json"}


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


WAYS: list[Callable[[], None]] = [
    lambda: die_inside_a_checkpoint(0), lambda: die_inside_a_checkpoint(1), lambda: die_inside("link", 0),
    lambda: die_inside("link", 1), lambda: die_inside("link", 2), lambda: die_inside("replace", 4),
    lambda: die_inside("replace", 5), lambda: die_inside("fsync", 1), lambda: die_inside("fsync", 4)]


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


def forked_status(function: Callable[[], Any]) -> int | None:
    process = forked(function)
    process.join(120)
    return process.exitcode


def check_finished(place: Place, name: str) -> None:
    """The records are those of undisturbed runs, and no more files are there than declared."""
    assert results_of(place, name) == results_of(place, "whole")
    assert leftovers(place, name) == set()


def counted(place: Place, tmp_path: Path, name: str, *more: str) -> tuple[list[str], Path]:
    """Arguments of 40 short runs that write down who begins them."""
    plugin, log = tmp_path / "counted.py", tmp_path / "log"
    log.touch()
    plugin.write_text(COUNTING.replace("LOG", str(log)))
    return place.words("--method", "counted", "--plugin", str(plugin), "--protocol", "clean", *more, results=name), log


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


@contextlib.contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A file system of its own with so much room."""
    place.mkdir(parents=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True)
    if done.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def enlarge(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)


def one_run(place: Place, results: Path, work: Path) -> list[str]:
    arguments = words(place, "unused")
    for option, folder in (("--results", results), ("--work", work)):
        arguments[arguments.index(option) + 1] = str(folder)
    arguments[arguments.index(str(SEEDS))] = "1"
    return arguments


@pytest.mark.parametrize("full", ["work", "results"])
def test_a_full_disk_fails_the_run_in_words_and_the_retry_finishes_it(place, tmp_path, full, capsys, figures):
    """The work disk has room for one checkpoint, not two; the results disk for no record."""
    with small_disk(tmp_path / "disk", "6m" if full == "work" else "64k") as disk:
        if full == "results":
            with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
                while True:
                    filler.write(b"x" * 4096)
        folders = {"results": tmp_path / "results", "work": tmp_path / "work"}
        folders[full] = disk / full
        arguments = one_run(place, folders["results"], folders["work"])
        assert call(*arguments) == 1
        shown = capsys.readouterr().err
        assert "No space left on device while writing the " + ("checkpoint" if full == "work" else "record") in shown
        saved = next(folders["work"].glob("??/*/checkpoint.pt"))
        assert torch.load(saved, weights_only=True)["curve"], "the earlier checkpoint is whole"
        assert not list(folders["results"].rglob("*.json"))
        enlarge(disk)
        assert call(*arguments, "--retry", "failed") == 0
        record = json.loads(next(folders["results"].rglob("*.json")).read_text())
        assert results_of(place, "whole")[record["id"]] == (record["result"], record["diagnosis"])
    figures(f"a full disk under {full}: said, nothing lost, finished after room was made")


def test_a_limit_on_file_size_is_said_too(place, tmp_path, figures):
    arguments = one_run(place, tmp_path / "results", tmp_path / "work")

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        main(arguments)

    assert forked_status(limited) == 1
    store = Store(tmp_path / "results", tmp_path / "work")
    run = next(store.work.glob("??/*")).name
    assert "File too large while writing the checkpoint" in (store.error(run) or "")
    assert call(*arguments, "--retry", "failed") == 0
    figures("a limit on file size: said, finished after it was lifted")


def test_a_results_folder_that_cannot_be_written_is_refused_before_any_run(place, tmp_path, capsys):
    with small_disk(tmp_path / "disk", "1m") as disk:
        shutil.copytree(place.root / "whole", disk / "whole")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert "cannot be written" in refused(capsys, *one_run(place, disk / "other", tmp_path / "work"))
        assert call("table", "--results", str(disk / "whole")) == 0 and "nla" in capsys.readouterr().out
        assert call("status", "--results", str(disk / "whole"), "--work", str(tmp_path / "none")) == 0
        assert f"{SEEDS} done" in capsys.readouterr().out


def test_a_clock_that_goes_back_an_hour_robs_nobody_and_stops_nothing(place, monkeypatch, capsys):
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 3600)
    arguments = words(place, "clock")
    assert call(*arguments) == 0
    check_finished(place, "clock")
    capsys.readouterr()


def test_a_record_cut_short_is_named_and_done_again(place, capsys):
    shutil.copytree(place.root / "whole", place.root / "cut")
    path = next((place.root / "cut" / "records").glob("??/*.json"))
    path.write_text(path.read_text()[:700])
    assert call("status", "--results", str(place.root / "cut"), "--work", str(place.root / "none")) == 0
    shown = capsys.readouterr()
    assert "damaged" in shown.err and f"{SEEDS - 1} done" in shown.out
    assert call(*words(place, "cut")) == 0
    assert results_of(place, "cut") == results_of(place, "whole") and path.with_suffix(".damaged").exists()


def test_two_machines_results_copied_together_are_one_set(place, capsys, figures):
    """Equal records are one; a different result of the same run is kept beside it, named, and not used."""
    one, other = place.root / "one", place.root / "other"
    for folder in (one, other):
        shutil.copytree(place.root / "whole", folder)
    paths = sorted((one / "records").glob("??/*.json"))
    paths[0].unlink()
    sorted((other / "records").glob("??/*.json"))[1].unlink()
    changed = json.loads(paths[2].read_text())
    changed["result"]["last"]["overall"] = 0.123
    assert Store(other, other).write_record(changed) == "conflict"
    shutil.copytree(other, one, dirs_exist_ok=True)
    assert results_of(place, "one").keys() == results_of(place, "whole").keys()
    assert call("table", "--results", str(one)) == 0
    shown = capsys.readouterr()
    assert "second, different result" in shown.err and "12.3" not in shown.out
    figures("results of two machines copied together: one set, the conflict named")


def test_a_damaged_checkpoint_is_set_aside(place, tmp_path):
    (tmp_path / checkpoint.LATEST).write_bytes(b"half")
    said: list[str] = []
    assert checkpoint.load(tmp_path, "x", said.append) is None and "damaged" in said[0]
