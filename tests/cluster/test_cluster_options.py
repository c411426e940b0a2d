"""Options of a submission, what is refused before anything is submitted, and what is kept of it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from submitted import grid, work_of
from tinyfolder import Place, call, refused

from fer_bench.cluster.options import Cluster, parse_cluster
from fer_bench.cluster.submit import absolute
from fer_bench.errors import UserError
from fer_bench.runs.jobs import Job, active_jobs, read_jobs
from fer_bench.runs.request import Request
from fer_bench.runs.store import Store


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    return Place(tmp_path_factory.mktemp("options"), epochs=2)


def test_keys_and_files_say_the_same(tmp_path):
    text = parse_cluster("partition=gpu,gpus_per_node=1,mem_gb=16,timeout_min=90,"
                         "setup=module load cuda; ulimit -n 4096")
    file = tmp_path / "slurm.yaml"
    file.write_text("partition: gpu\ngpus_per_node: 1\nmem_gb: 16\ntimeout_min: 90\n"
                    "setup: [module load cuda, ulimit -n 4096]\n")
    assert parse_cluster(str(file)) == text
    assert text.setup == ("module load cuda", "ulimit -n 4096") and text.max_requeues == 1000
    assert parse_cluster("") == Cluster()


@pytest.mark.parametrize(("text", "expected"), [
    ("partion=gpu", "did you mean partition?"), ("gpu", "expected key=value"), ("mem_gb=lots", "mem_gb=lots"),
    ("timeout_min=0", "greater than or equal to 1"), ("nowhere.yaml", "cannot be read")])
def test_bad_options_are_named(text, expected):
    with pytest.raises(UserError, match=expected):
        parse_cluster(text)


def test_bad_words_end_with_one_line_and_submit_nothing(place, capsys, monkeypatch):
    assert "did you mean local?" in refused(capsys, *grid(place, "bad", "--executor", "locl"))
    assert "did you mean partition?" in refused(capsys, *grid(place, "bad", "--slurm", "partion=x"))
    monkeypatch.setenv("PATH", "/nowhere")
    assert "no 'sbatch' on this machine" in refused(capsys, *grid(place, "bad", "--slurm", "partition=x"))
    assert not work_of(place, "bad").joinpath("jobs").exists()


def test_options_that_would_be_ignored_are_refused(place, capsys):
    assert "--tasks: only for runs that are submitted" in refused(capsys, *grid(place, "ignored", "--tasks", "2"))
    assert "--snapshot: only for" in refused(capsys, *grid(place, "ignored", "--snapshot"))
    submitted = grid(place, "ignored", "--executor", "local")
    assert "--profile: has no effect" in refused(capsys, *submitted, "--profile")
    assert "--jobs: has no effect" in refused(capsys, *submitted, "--jobs", "2")
    assert "no such kind; expected auto, cpu, cuda" in refused(capsys, *submitted, "--device", "cudaa")
    assert not work_of(place, "ignored").exists()


def test_a_cluster_that_does_not_answer_is_not_an_ended_job(tmp_path, monkeypatch):
    squeue = tmp_path / "squeue"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    job = Job("7", "slurm", ("7_0",), ("a",), "2026-01-01 00:00:00", {})
    for words, active in (("Unable to contact slurm controller", True), ("Invalid job id specified", False)):
        squeue.write_text(f"#!/bin/sh\necho 'slurm_load_jobs error: {words}' >&2\nexit 1\n")
        squeue.chmod(0o755)
        assert job.active() == active


def test_a_dry_run_shows_array_and_list(place, capsys):
    assert call(*grid(place, "dry", "--slurm", "partition=gpu,mem_gb=8", "--tasks", "3", "--dry-run")) == 0
    lines = capsys.readouterr().out.partition("\n\n")[0].splitlines()
    assert lines[-1] == "3 task(s) for 4 run(s); each asks for partition=gpu, mem_gb=8.0"
    assert sum(" absent " in line for line in lines) == 4


def test_a_refused_submission_is_one_line_and_forgets_no_failure(place, capsys, tmp_path, monkeypatch):
    for name in ("sbatch", "srun"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'error: invalid partition specified: x' >&2\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    arguments = grid(place, "refused", "--slurm", "partition=x", "--retry", "failed")
    capsys.readouterr()
    call(*grid(place, "refused", "--dry-run"))
    run = capsys.readouterr().out.split()[0]
    store = Store(place.root / "refused", work_of(place, "refused"))
    store.write_error(run, "ValueError: as planned", "Traceback")
    assert "invalid partition" in refused(capsys, *arguments)
    assert store.error(run) == "ValueError: as planned"


def test_paths_are_complete_before_they_travel(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one = Request(("ce",), ("clean", "own.yaml"), ("folder:faces", "synthetic"), (0,), Path("cache"),
                  {"": Path("data")}, "r.yaml", weights="w.pth", plugins=(Path("p.py"),),
                  noise_list=Path("n.txt"), scores=Path("s.npz"))
    found = absolute(one)
    assert found.protocols == ("clean", str(tmp_path / "own.yaml"))
    assert found.datasets == (f"folder:{tmp_path / 'faces'}", "synthetic") and found.recipe == str(tmp_path / "r.yaml")
    assert found.roots == {"": tmp_path / "data"}
    assert found.weights == str(tmp_path / "w.pth") and found.plugins == (tmp_path / "p.py",)
    assert (found.noise_list, found.scores) == (tmp_path / "n.txt", tmp_path / "s.npz")
    assert absolute(replace(one, weights="imagenet", recipe="quick")).weights == "imagenet"


def test_submissions_are_read_back(tmp_path):
    job = Job("7", "local", ("123456789",), ("a", "b"), "2026-01-01 00:00:00", {"engine": "x"}, ("1",))
    job.write(tmp_path)
    (tmp_path / "jobs" / "half.json").write_text("{")
    assert read_jobs(tmp_path) == [job] and active_jobs(tmp_path) == []
