"""Claims: of several processes exactly one has a run, whoever was killed, frozen, requeued or cut off."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fer_bench.runs import claims
from fer_bench.runs.store import Store

RUN = "ab12cd34ef56ab78"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results", tmp_path / "work")


def dead_process() -> int:
    """The number of a process that has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def rewrite(path: Path, **changes) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_claim_excludes_others_until_it_is_released(store):
    claim = store.claim(RUN)
    assert claim is not None and claim.held() and store.claim(RUN) is None
    claim.release()
    assert not claim.held() and store.claim(RUN) is not None


def test_claiming_leaves_no_other_file(store):
    store.claim(RUN)
    store.claim(RUN)
    assert [p.name for p in store.run_folder(RUN).iterdir()] == ["claim-1"]


def test_the_claim_of_a_dead_process_is_taken_over(store):
    first = store.claim(RUN)
    rewrite(first.path, pid=dead_process())
    second = store.claim(RUN)
    assert second is not None and second.held() and not first.held()


def test_a_process_number_that_was_used_again_holds_no_claim(store):
    first = store.claim(RUN)
    rewrite(first.path, started="1")
    assert store.claim(RUN) is not None


def test_a_claim_that_was_taken_over_cannot_be_released(store):
    first = store.claim(RUN)
    rewrite(first.path, pid=dead_process())
    second = store.claim(RUN)
    first.release()
    assert second.held()


@pytest.mark.parametrize(("age", "free"), [(10, False), (claims.STALE_SECONDS + 10, True)])
def test_the_claim_of_another_machine_is_taken_over_when_its_heartbeat_is_old(store, age, free):
    first = store.claim(RUN)
    rewrite(first.path, host="elsewhere", pid=1)
    os.utime(first.path, (time.time() - age,) * 2)
    assert (store.claim(RUN) is not None) == free


def test_held_refreshes_the_heartbeat(store):
    claim = store.claim(RUN)
    os.utime(claim.path, (1, 1))
    assert claim.held() and time.time() - claim.path.stat().st_mtime < 60


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}"])
def test_a_damaged_claim_is_taken_over(store, damage):
    store.claim(RUN).path.write_text(damage)
    assert store.claim(RUN) is not None


def test_a_frozen_holder_is_taken_over_though_its_process_lives_and_does_no_harm_when_it_wakes(store):
    frozen = store.claim(RUN)
    os.utime(frozen.path, (time.time() - claims.STALE_SECONDS - 10,) * 2)
    second = store.claim(RUN)
    assert second is not None and not frozen.held()
    frozen.release()
    assert second.held() and store.claim(RUN) is None
    second.release()
    assert not list(store.run_folder(RUN).iterdir())


def test_a_requeued_slurm_job_takes_over_from_itself_at_once(store, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    first = store.claim(RUN)
    rewrite(first.path, host="another node")
    assert store.claim(RUN) is None
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert store.claim(RUN) is not None and not first.held()


def test_a_heartbeat_from_the_future_is_a_living_one(store):
    """After a clock went back an hour, nobody is robbed; the claim of a dead machine is freed an hour later."""
    first = store.claim(RUN)
    rewrite(first.path, host="elsewhere")
    os.utime(first.path, (time.time() + 3600,) * 2)
    assert store.claim(RUN) is None and first.held()


def test_a_file_system_that_does_not_answer_just_now_takes_no_run_away(store, monkeypatch):
    claim = store.claim(RUN)

    def refuse(*arguments, **more):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "utime", refuse)
        assert claim.held()
    assert claim.held()


def test_a_link_whose_answer_was_lost_is_a_claim(store, monkeypatch):
    real = os.link

    def link(source, target):
        real(source, target)
        raise FileExistsError(17, "File exists")  # NFS sent the request again

    monkeypatch.setattr(os, "link", link)
    claim = store.claim(RUN)
    assert claim is not None and claim.held() and store.claim(RUN) is None


def test_a_heartbeat_is_looked_up_only_when_it_is_due(store):
    claim = store.claim(RUN)
    claim.path.unlink()
    assert claim.beat()
    claim.last_beat -= claims.BEAT_SECONDS
    assert not claim.beat()


def compete(folder: str, runs: list[str], barrier, won) -> None:
    own, claims = Store(Path(folder) / "results", Path(folder) / "work"), []
    for run in runs:
        barrier.wait()
        claims.append(own.claim(run))
    barrier.wait()
    won.put([run for run, claim in zip(runs, claims, strict=True) if claim is not None and claim.held()])
    barrier.wait()  # nobody ends, and so gives its claims up, before all have looked


@pytest.mark.parametrize("stale", [False, True])
def test_of_racing_processes_exactly_one_gets_each_claim(tmp_path, store, stale):
    runs = [f"{n:016x}" for n in range(30)]
    if stale:
        gone = dead_process()
        for run in runs:
            rewrite(store.claim(run).path, pid=gone)
    context = multiprocessing.get_context("spawn")
    barrier, won = context.Barrier(3), context.Queue()
    racers = [context.Process(target=compete, args=(str(tmp_path), runs, barrier, won)) for _ in range(3)]
    for racer in racers:
        racer.start()
    winners = [run for _ in racers for run in won.get(timeout=60)]
    for racer in racers:
        racer.join(60)
    assert sorted(winners) == runs
