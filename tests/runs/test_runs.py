"""Whole runs through the command: kills, interrupts, several processes, failures, and what a second call does."""

from __future__ import annotations

import csv
import io
import signal
from pathlib import Path

import pytest
from tinyfolder import Place, call, start

EPOCHS = 25
EXPLODING = '''
from pathlib import Path

import torch
from torch.nn import functional as F

from fer_bench.method import Method
from fer_bench.registry import register


@register("exploding")
class Exploding(Method):
    """Its loss is not a number in the second epoch's third step, as long as a file is there."""

    def loss(self, batch, clock):
        bad = (clock.step == clock.steps_per_epoch + 2) & Path("FLAG").exists()
        return F.cross_entropy(self.net(batch.images), batch.labels) * torch.where(bad, float("nan"), 1.0)
'''


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    return Place(tmp_path_factory.mktemp("runs"), EPOCHS)


@pytest.fixture(scope="module")
def whole(place) -> dict:
    """The record of an undisturbed run of nla under noise30."""
    assert call(*place.words("--method", "nla", "--protocol", "noise30", results="whole")) == 0
    return place.records("whole")[0]


def test_a_record_says_how_far_its_method_s_schedule_was_shortened(whole):
    assert whole["shortened"] == {"from_epochs": 60, "to_epochs": EPOCHS}


def stop_after(epoch: int, place: Place, results: str, number: int) -> tuple[int, list[str]]:
    """Start the run, send it a signal after an epoch; its exit status and the lines of standard error."""
    child = start(*place.words("--method", "nla", "--protocol", "noise30", results=results))
    lines: list[str] = []
    assert child.stderr is not None
    for line in child.stderr:
        lines.append(line.rstrip())
        if f"epoch {epoch}/" in line:
            child.send_signal(number)
    return child.wait(60), lines


def left_behind(place: Place, results: str) -> str:
    """The state of the only run of a work folder."""
    from fer_bench.runs.store import Store

    store = Store(place.root / results, place.root / "work" / results)
    return store.state(next(store.work.glob("??/*")).name)


def test_a_killed_run_goes_on_to_the_same_result(place, whole, capsys):
    status, lines = stop_after(2, place, "killed", signal.SIGKILL)  # whose save may not be done, the first one's is
    assert status == -signal.SIGKILL and left_behind(place, "killed") == "lost"
    assert call(*place.words("--method", "nla", "--protocol", "noise30", results="killed")) == 0
    assert "epoch 1/" not in capsys.readouterr().err
    assert place.records("killed")[0]["result"] == whole["result"]


def test_an_interrupted_run_ends_with_one_line_and_goes_on(place, whole):
    status, lines = stop_after(1, place, "stopped", signal.SIGINT)
    rest = [line for line in lines if "  epoch " not in line and not line.startswith("classes")]
    assert status == 130 and len(rest) == 1 and "interrupted" in rest[0]
    assert left_behind(place, "stopped") == "lost"
    assert call(*place.words("--method", "nla", "--protocol", "noise30", results="stopped")) == 0
    assert place.records("stopped")[0]["result"] == whole["result"]


def test_several_processes_give_the_same_bits_as_one(place, whole):
    child = start(*place.words("--method", "ce,nla", "--protocol", "noise30", "--jobs", "2", results="two"))
    _, said = child.communicate(timeout=300)
    assert child.returncode == 0, said
    assert [r["label"] for r in place.records("two")] == ["ce", "nla"]
    assert place.records("two")[1]["result"] == whole["result"]


def test_a_record_says_what_it_is(whole):
    assert whole["label"] == "nla" and whole["spec"]["protocol"]["noise"]["rate"] == 0.3
    assert len(whole["result"]["curve"]) == EPOCHS and whole["environment"]["threads"] == 1
    assert {"memorised", "corrected", "weight_auroc"} <= set(whole["diagnosis"])


def test_a_second_call_only_prints(place, whole, capsys):
    path = next((place.root / "whole" / "records").glob("??/*.json"))
    before = path.stat().st_mtime_ns
    capsys.readouterr()
    assert call(*place.words("--method", "nla", "--protocol", "noise30", results="whole")) == 0
    shown = capsys.readouterr()
    assert path.stat().st_mtime_ns == before and "epoch" not in shown.err and "nla" in shown.out


def test_paths_and_jobs_are_no_part_of_the_identity_and_more_threads_are(place, whole, tmp_path, capsys):
    elsewhere = Place(tmp_path, EPOCHS)
    capsys.readouterr()
    words = elsewhere.words("--method", "nla", "--protocol", "noise30", "--dry-run")
    ids = [(call(*words, *more), capsys.readouterr().out.split()[0])[1] for more in
           ([], ["--jobs", "2"], ["--threads", "1"], ["--threads", "2"])]
    assert ids[:3] == [whole["id"]] * 3 and ids[3] != whole["id"]


def test_a_truncated_record_is_named_and_the_run_done_again(place, whole, capsys):
    words = place.words("--method", "ce", "--set-recipe", "epochs=2", results="truncated")
    call(*words)
    path = next((place.root / "truncated" / "records").glob("??/*.json"))
    first = place.records("truncated")[0]
    path.write_bytes(path.read_bytes()[:100])
    capsys.readouterr()
    assert call(*words) == 0 and path.name in capsys.readouterr().err
    assert place.records("truncated")[0]["result"] == first["result"] and path.with_suffix(".damaged").exists()


def test_a_run_another_process_works_on_is_left_alone(place, capsys):
    from fer_bench.runs.store import Store

    words = place.words("--method", "ce", "--set-recipe", "epochs=1", results="busy")
    capsys.readouterr()
    call(*words, "--dry-run")
    claim = Store(place.root / "busy", place.root / "work" / "busy").claim(capsys.readouterr().out.split()[0])
    assert call(*words) == 0 and "1 run(s) are being done by another process" in capsys.readouterr().err
    assert claim is not None and claim.held() and not place.records("busy")


@pytest.fixture
def exploding(tmp_path: Path, place: Place) -> tuple[list[str], Path]:
    """A command with a method that fails while a file is there, and that file."""
    flag, plugin = tmp_path / "flag", tmp_path / "exploding.py"
    flag.touch()
    plugin.write_text(EXPLODING.replace("FLAG", str(flag)))
    words = place.words("--method", "exploding,ce", "--plugin", str(plugin), "--set-recipe", "epochs=3",
                        "--work", str(tmp_path / "work"), "--results", str(tmp_path / "results"))
    return words, flag


def test_a_loss_that_is_not_finite_fails_that_run_alone(exploding, tmp_path, capsys):
    words, _ = exploding
    assert call(*words) == 1
    error = next((tmp_path / "work").glob("??/*/error.txt")).read_text()
    assert error.startswith("NotFinite: the loss is not finite in epoch 2, step 3 of 4") and "Traceback" in error
    assert len(list((tmp_path / "results" / "records").glob("??/*.json"))) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_a_failed_run_is_tried_again_only_on_demand(exploding, tmp_path, capsys):
    words, flag = exploding
    call(*words)
    flag.unlink()
    capsys.readouterr()
    assert call(*words) == 1 and "--retry failed runs it again" in capsys.readouterr().err
    assert call(*words, "--retry", "failed") == 0
    assert len(list((tmp_path / "results" / "records").glob("??/*.json"))) == 2


def test_status_counts_states_and_shows_failures(exploding, tmp_path, capsys):
    call(*exploding[0])
    capsys.readouterr()
    assert call("status", "--results", str(tmp_path / "results"), "--work", str(tmp_path / "work")) == 0
    shown = capsys.readouterr().out
    assert "1 done, 1 failed" in shown and "NotFinite: the loss is not finite in epoch 2" in shown


def test_table_shows_the_records(place, whole, capsys):
    capsys.readouterr()
    assert call("table", "--results", str(place.root / "whole"), "--format", "csv") == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert any("nla" in row for row in rows)


def test_the_summary_names_the_method_and_the_place(place, whole, capsys):
    call(*place.words("--method", "nla", "--protocol", "noise30", results="whole"))
    shown = capsys.readouterr()
    assert "nla" in shown.out and str(place.root / "whole" / "records") in shown.err
