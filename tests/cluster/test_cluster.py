"""Arrays of tasks without a cluster: submission through submitit's local and debug executors, cancelling, snapshots."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from submitted import bits, grid, wait_for_records, work_of
from tinyfolder import CHECKOUT, Place, call, environment, refused

from fer_bench.cluster import task as task_module
from fer_bench.cluster.task import SIGNAL, CodeChanged, Task, fingerprints, listen
from fer_bench.library.fingerprint import code_hash
from fer_bench.runs.jobs import active_jobs, read_jobs
from fer_bench.runs.plan import make_plans
from fer_bench.runs.request import Request
from fer_bench.runs.settings import Settings
from fer_bench.runs.store import Store


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    place = Place(tmp_path_factory.mktemp("cluster"), epochs=2)
    assert call(*grid(place, "whole")) == 0
    return place


def test_what_a_submission_prints_does_not_keep_a_pipe_open(place):
    words = [sys.executable, str(CHECKOUT / "run_bench.py"), *grid(place, "piped", "--executor", "local"),
             "--set-recipe", "epochs=400"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, env=environment(),  # waits for the pipe
                          preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))  # as after "command &"
    assert done.returncode == 0, done.stderr
    work = work_of(place, "piped")
    assert active_jobs(work), "it returned while its tasks run"
    assert call("cancel", "--work", str(work)) == 0
    end = time.monotonic() + 60
    while active_jobs(work):
        assert time.monotonic() < end, "still active"
        time.sleep(0.1)


def test_tasks_share_the_list_and_nothing_depends_on_the_submitter(place, capsys):
    assert call(*grid(place, "local", "--executor", "local", "--tasks", "2")) == 0
    assert "2 task(s) for 4 run(s)" in capsys.readouterr().out
    assert call(*grid(place, "local", "--executor", "local")) == 0
    assert "not submitted again" in capsys.readouterr().err, "they are active"
    wait_for_records(place, "local", 4)
    assert bits(place, "local") == bits(place, "whole")
    assert call(*grid(place, "local", "--executor", "local")) == 0
    assert "nothing to submit: 4 of 4 done" in capsys.readouterr().err
    assert len(read_jobs(work_of(place, "local"))) == 1


def test_a_grid_that_is_half_done_is_submitted_for_its_other_half(place, capsys):
    assert call(*place.words("--method", "ce", "--protocol", "noise30", "--seeds", "2", results="half")) == 0
    capsys.readouterr()
    assert call(*grid(place, "half", "--executor", "debug", "--tasks", "1")) == 0
    assert "1 task(s) for 2 run(s)" in capsys.readouterr().out
    assert bits(place, "half") == bits(place, "whole")


def test_the_debug_executor_works_in_this_process(place):
    assert call(*grid(place, "debug", "--executor", "debug", "--tasks", "1")) == 0
    assert bits(place, "debug") == bits(place, "whole")


def test_cancelled_tasks_leave_runs_that_go_on_later(place, capsys):
    many = grid(place, "cancelled", "--set-recipe", "epochs=400")
    assert call(*many, "--executor", "local", "--tasks", "2") == 0
    work = work_of(place, "cancelled")
    end = time.monotonic() + 90
    while len(list(work.glob("??/*/progress.json"))) < 2:
        assert time.monotonic() < end
        time.sleep(0.1)
    call("status", "--results", str(place.root / "cancelled"), "--work", str(work))
    shown = capsys.readouterr().out
    assert "2 running" in shown and "epoch " in shown and "local job" in shown and "2 queued" in shown
    job = read_jobs(work)[0]
    assert call("cancel", job.job, "--work", str(work)) == 0
    assert f"cancelled local job {job.job}" in capsys.readouterr().out
    end = time.monotonic() + 60
    while active_jobs(work):
        assert time.monotonic() < end, "still active"
        time.sleep(0.1)
    states = [Store(place.root / "cancelled", work).state(run) for run in job.runs]
    assert sorted(set(states)) == ["absent", "lost"]
    call("status", "--results", str(place.root / "cancelled"), "--work", str(work))
    assert f"local job {job.job} ended with 4 of 4 run(s) open" in capsys.readouterr().out
    assert call("cancel", "--work", str(work)) == 0
    assert "nothing to cancel" in capsys.readouterr().err
    assert "no such submission" in refused(capsys, "cancel", "99", "--work", str(work))


def request(place: Place) -> Request:
    return Request(("ce",), ("clean",), (f"folder:{place.data}",), (0,), place.cache, recipe=str(place.recipe))


def test_a_task_refuses_code_that_is_not_the_submission_s(place, tmp_path):
    plans = make_plans(request(place), print)
    settings = Settings(Store(tmp_path / "r", tmp_path / "w"), "cpu")
    task = Task(request(place), settings, 0, 1, {**fingerprints(plans), "engine": "another"},
                (plans[0].spec.id,))
    with pytest.raises(CodeChanged, match=r"changed since the submission \(engine\)"):
        task()
    assert not list(tmp_path.rglob("*.json"))
    task = replace(task, code=fingerprints(plans))
    with pytest.raises(CodeChanged, match="1 of 1 runs of the submission are other runs now"):
        replace(task, runs=("0" * 16,))()
    assert task() == {"done": 1}


def test_a_task_that_is_told_to_stop_gives_its_runs_back(monkeypatch):
    told: list[int] = []
    before = signal.signal(SIGNAL, lambda number, frame: told.append(number))
    try:
        steps = []

        def work(asked) -> None:
            while not asked():
                steps.append(1)
                if len(steps) == 3:
                    os.kill(os.getpid(), SIGNAL)

        handler = listen(work)
        assert handler is not None and len(steps) == 3 and told == []
        handler()
        assert told == [SIGNAL], "submitit's own handler comes last"
        assert listen(lambda asked: None) is None
        monkeypatch.setattr(task_module, "LINGER_SECONDS", 0.0)
        ended = listen(lambda asked: os.kill(os.getpid(), signal.SIGTERM))
        assert ended is not None, "scancel sends SIGTERM alone"
        ended()
        assert told == [SIGNAL], "an ended task is not queued again"
    finally:
        signal.signal(SIGNAL, before)


def git(*words: str, at: Path) -> None:
    subprocess.run(["git", "-C", str(at), "-c", "user.name=t", "-c", "user.email=t@t", *words], check=True,
                   capture_output=True)


@pytest.mark.slow
def test_a_snapshot_runs_the_commit_whatever_is_edited_meanwhile(place, tmp_path):
    tree = tmp_path / "tree"
    subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(CHECKOUT), str(tree)], check=True)

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, str(tree / "run_bench.py"), *grid(place, "snapshot", *more)], text=True,
                              env={**environment(), "PYTHONPATH": str(tree)}, capture_output=True, timeout=120)

    source = (tree / "methods" / "ce.py").read_text()
    (tree / "methods" / "ce.py").write_text(source + "\nCHANGED = 1\n")
    refusal = run("--executor", "local", "--snapshot")
    assert refusal.returncode == 2 and "methods/ce.py; commit them first" in refusal.stderr
    git("checkout", "methods/ce.py", at=tree)
    submitted = run("--executor", "local", "--tasks", "1", "--snapshot")
    assert submitted.returncode == 0, submitted.stderr
    (tree / "methods" / "ce.py").write_text(source + "\nCHANGED = 2\n")
    wait_for_records(place, "snapshot", 4)
    (tmp_path / "ce.py").write_text(source)
    codes = {r["spec"]["code"]["method"] for r in place.records("snapshot") if r["label"] == "ce"}
    assert codes == {code_hash([tmp_path / "ce.py"])}
