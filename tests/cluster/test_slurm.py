"""Arrays on a real Slurm: failures, preemption, requeueing, a time limit; every record as in an undisturbed run.

Needs FER_BENCH_SLURM=1 (tests/cluster/start.sh then makes a cluster here); with it, a missing cluster is a failure.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tinyfolder import CHECKOUT, Place, call

from fer_bench.runs.jobs import read_jobs

ASKED = os.environ.get("FER_BENCH_SLURM") == "1"
pytestmark = [pytest.mark.slurm, pytest.mark.skipif(
    not ASKED, reason="set FER_BENCH_SLURM=1 to let tests/cluster/start.sh make a Slurm here")]
CLUSTER = CHECKOUT / "tests" / "cluster"
PLUGIN = '''
import os
import time

import torch
from torch.nn import functional as F

from fer_bench.method import Method
from fer_bench.registry import register


@register("slow")
class Slow(Method):
    """As long as a file is there, each step takes the seconds it says."""

    def loss(self, batch, clock):
        if os.path.exists("FOLDER/slow"):
            time.sleep(float(open("FOLDER/slow").read()))
        return F.cross_entropy(self.net(batch.images), batch.labels)


def first(name):
    try:
        os.mkdir("FOLDER/" + name)
        return True
    except FileExistsError:
        return False


@register("raises-once")
class RaisesOnce(Method):
    def loss(self, batch, clock):
        if first("raised"):
            raise ValueError("as planned")
        return F.cross_entropy(self.net(batch.images), batch.labels)


@register("nan-once")
class NanOnce(Method):
    def loss(self, batch, clock):
        loss = F.cross_entropy(self.net(batch.images), batch.labels)
        return loss * torch.nan if first("nan") else loss
'''


@pytest.fixture(scope="module")
def slurm() -> Iterator[None]:
    """A cluster of one node; one that runs already is used and left alone."""
    before = os.environ.get("SLURM_CONF")
    done = subprocess.run([str(CLUSTER / "start.sh")], capture_output=True, text=True)
    assert done.returncode == 0, f"tests/cluster/start.sh ended with {done.returncode}: {done.stderr[-800:]}"
    os.environ["SLURM_CONF"] = done.stdout.strip().partition("=")[2]
    yield
    if before is None:
        subprocess.run([str(CLUSTER / "stop.sh")], capture_output=True, check=True)
        del os.environ["SLURM_CONF"]


@pytest.fixture(scope="module")
def place(tmp_path_factory, slurm) -> Place:
    place = Place(tmp_path_factory.mktemp("slurm"), epochs=6)
    (place.root / "plugin.py").write_text(PLUGIN.replace("FOLDER", str(place.root)))
    return place


def words(place: Place, results: str, methods: str, seeds: int, *more: str) -> list[str]:
    return place.words("--method", methods, "--plugin", str(place.root / "plugin.py"), "--protocol", "noise30",
                       "--seeds", str(seeds), *more, results=results)


def work_of(place: Place, results: str) -> Path:
    return place.root / "work" / results


def wait_for(condition: Callable[[], Any], what: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}; {command('squeue')}"
        time.sleep(0.3)


def command(*parts: str) -> str:
    return subprocess.run(parts, capture_output=True, text=True).stdout


def idle() -> bool:
    return not command("squeue", "-h").strip()


def bits(place: Place, results: str) -> dict[str, Any]:
    return {r["id"]: (r["result"], r["diagnosis"]) for r in place.records(results)}


def logs(place: Place, results: str) -> str:
    return "".join(path.read_text() for path in sorted(work_of(place, results).glob("jobs/logs/*.out")))


def test_one_call_does_all_but_what_fails_and_a_second_call_nothing(place, capsys, figures):
    arguments = words(place, "grid", "ce,focal,scn,nla,raises-once,nan-once", 4, "--slurm", "timeout_min=30",
                      "--tasks", "2")
    start = time.monotonic()
    assert call(*arguments) == 0
    submitted = time.monotonic() - start
    assert "2 task(s) for 24 run(s)" in capsys.readouterr().out
    wait_for(idle, "the array", 240)
    assert len(place.records("grid")) == 22
    errors = [path.read_text() for path in work_of(place, "grid").glob("??/*/error.txt")]
    assert len(errors) == 2 and any("as planned" in e for e in errors) and any("not finite" in e for e in errors)
    assert all("Traceback" in e and '"torch"' in e for e in errors)
    accounted = command("sacct", "-n", "-X", "-o", "State", "-j", read_jobs(work_of(place, "grid"))[0].job)
    assert "CANCELLED" not in accounted and "FAILED" not in accounted
    assert call(*arguments) == 1
    assert "nothing to submit: 22 of 24 done, 2 failed" in capsys.readouterr().err
    assert len(read_jobs(work_of(place, "grid"))) == 1
    figures(f"Slurm: 24 runs in 2 tasks: 22 records, 2 errors; submitted in {submitted:.1f} s; a second call: nothing")


def interrupted(place: Place, results: str, slurm: str, interrupt: Callable[[str], Any]) -> float:
    """Two slow runs in one task, interrupted in mid-epoch and let finish; seconds from then until all was done."""
    slow = place.root / "slow"
    slow.write_text("0.8")
    assert call(*words(place, results, "slow", 2, "--slurm", slurm, "--tasks", "1")) == 0
    job = read_jobs(work_of(place, results))[0].job
    wait_for(lambda: list(work_of(place, results).glob("??/*/checkpoint.pt")), "the first epoch", 120)
    time.sleep(0.5)
    start = time.monotonic()
    interrupt(job)
    slow.unlink()
    wait_for(idle, "the array after its interruption", 180)
    if not bits(place, "undisturbed"):
        assert call(*words(place, "undisturbed", "slow", 2)) == 0
    assert len(bits(place, results)) == 2 and bits(place, results) == bits(place, "undisturbed")
    return time.monotonic() - start


def ended(place: Place, results: str) -> bool:
    """Whether a task has given its runs back and is queued again."""
    return "told to stop" in logs(place, results)


def test_a_preempted_task_is_queued_again_and_goes_on(place, figures):
    def preempt(job: str) -> None:
        command("scancel", "--signal=USR2", job)
        wait_for(lambda: ended(place, "preempted"), "the task to stop", 30)

    seconds = interrupted(place, "preempted", "timeout_min=60", preempt)
    assert logs(place, "preempted").count("Starting with JobEnvironment") == 2
    assert not list(work_of(place, "preempted").glob("??/*/claim-*"))
    figures(f"Slurm: preempted in mid-epoch, requeued, same bits; done {seconds:.0f} s later")


def test_a_requeued_task_takes_its_own_runs_over_at_once(place, figures):
    def requeue(job: str) -> None:
        command("scontrol", "requeue", job)
        wait_for(lambda: "RUNNING" not in command("squeue", "-h", "-o", "%T"), "the task to be taken off", 30)

    seconds = interrupted(place, "requeued", "timeout_min=60", requeue)
    figures(f"Slurm: scontrol requeue in mid-epoch, same bits; done {seconds:.0f} s later")


def test_a_task_out_of_time_is_queued_again_and_goes_on(place, figures):
    def run_out(job: str) -> None:
        wait_for(lambda: ended(place, "timed"), "the time limit's signal", 120)

    interrupted(place, "timed", "timeout_min=1,signal_delay_s=20", run_out)
    assert "timed-out" in logs(place, "timed") and logs(place, "timed").count("Starting with JobEnvironment") >= 2
    figures("Slurm: a time limit of one minute in mid-epoch, requeued, same bits")


def test_a_cancelled_array_leaves_runs_that_go_on_elsewhere(place, capsys):
    slow = place.root / "slow"
    slow.write_text("1.0")
    assert call(*words(place, "cancelled", "slow", 2, "--slurm", "timeout_min=60", "--tasks", "2")) == 0
    wait_for(lambda: len(list(work_of(place, "cancelled").glob("??/*/checkpoint.pt"))) == 2, "the first epochs", 120)
    capsys.readouterr()
    call("status", "--results", str(place.root / "cancelled"), "--work", str(work_of(place, "cancelled")))
    shown = capsys.readouterr().out
    assert "2 running" in shown and "slurm job" in shown
    assert call("cancel", "--work", str(work_of(place, "cancelled"))) == 0
    wait_for(idle, "the cancelled array", 60)
    assert not list(work_of(place, "cancelled").glob("??/*/claim-*")), "given back before the cluster ended the tasks"
    slow.unlink()
    assert call(*words(place, "cancelled", "slow", 2)) == 0
    assert bits(place, "cancelled") == bits(place, "undisturbed")
