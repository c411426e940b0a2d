"""Full disks, limits, damaged and merged folders: said in words, and nothing is lost."""

from __future__ import annotations

import contextlib
import json
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from faulty import SEEDS, forked_status, results_of, undisturbed, words
from tinyfolder import Place, call, refused

from fer_bench.cli import main
from fer_bench.engine import checkpoint
from fer_bench.runs.store import Store

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    return undisturbed(tmp_path_factory.mktemp("disks"))


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
        state = torch.load(saved, weights_only=True)
        assert state["curve"] or state["steps"], "the earlier checkpoint is whole"
        assert not list(folders["results"].rglob("*.json"))
        enlarge(disk)
        assert call(*arguments, "--retry", "failed") == 0
        record = json.loads(next(folders["results"].rglob("records/??/*.json")).read_text())
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
