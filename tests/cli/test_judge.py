"""compare, power and export from the command line, on the repository's records and on bad input."""

import builtins
import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from tinyfolder import CHECKOUT, Place, call, refused

from fer_bench.tables.stats import mean

DRAWN = ("--results", str(CHECKOUT / "results" / "drawn-faces"), "--protocol", "clean,noise30")
REAL = str(CHECKOUT / "results" / "ferplus7-face112")


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A results folder with the drawn faces' clean runs of three methods, 27 records of 720 left."""
    folder = tmp_path_factory.mktemp("few")
    source = CHECKOUT / "results" / "drawn-faces"
    shutil.copytree(source / "test-faces", folder / "test-faces")
    for path in (source / "records").glob("??/*.json"):
        head = path.read_text()[:2000]
        if any(f'"label": "{name}"' in head for name in ("nla", "nla-released", "ce")):
            (folder / "records" / path.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / "records" / path.parent.name)
    return folder


def records_of(folder, label, protocol):
    found = [json.loads(path.read_text()) for path in (folder / "records").glob("??/*.json")]
    return {r["spec"]["seed"]: r for r in found if r["label"] == label and r["spec"]["protocol"]["name"] == protocol}


def test_compare_says_the_gain_of_the_records(few, capsys):
    assert call("compare", "nla", "ce", "--results", str(few), "--format", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    nla, ce = (records_of(few, label, "noise30") for label in ("nla", "ce"))
    gain = mean([100 * (nla[s]["result"]["last"]["mean"] - ce[s]["result"]["last"]["mean"]) for s in (0, 1, 2)])
    (row,) = [row for row in rows if row["protocol"] == "noise30" and row["metric"] == "mean"]
    assert float(row["gain"]) == pytest.approx(gain, abs=1e-5)
    assert float(row["low"]) < gain < float(row["high"]) and row["faces"] == "1000"


def test_compare_on_a_terminal_of_one_seed(capsys):
    assert call("compare", "nla", "ce", "--results", REAL) == 0
    out = capsys.readouterr().out
    assert "McNemar" in out and "another training" in out and "ferplus7" in out


@pytest.mark.parametrize("suffix", ["pdf", "png"])
def test_compare_draws(few, tmp_path, suffix, capsys):
    path = tmp_path / f"gains.{suffix}"
    assert call("compare", "nla-released", "nla", "--results", str(few), "--figure", str(path)) == 0
    assert path.read_bytes().startswith({"pdf": b"%PDF", "png": b"\x89PNG"}[suffix])


@pytest.mark.parametrize("words, what", [
    (("compare", "nlo", "ce"), "did you mean nla"),
    (("compare", "ce", "ce"), "one method"),
    (("compare", "nla", "ce", "--format", "html"), "unknown format 'html'"),
    (("compare", "nla", "ce", "--protocol", "claen"), "did you mean clean"),
    (("compare", "nla", "ce", "--figure", "gains.jpg"), "ends in .pdf or .png"),
    (("compare", "nla", "ce", "--figure", "/nowhere/gains.pdf"), "no such folder"),
    (("compare", "nla", "ce", "--interval", "t"), "unknown interval"),
    (("power", "--baseline", "cee"), "did you mean ce"),
    (("power", "--gain", "0"), "--gain 0"),
    (("power", "--gain", "nan"), "--gain nan"),
    (("power", "--chance", "2"), "--chance 2"),
    (("export", "--format", "exel"), "unknown format"),
    (("export", "--format", "csv", "--seed", "1"), "export --seed"),
])
def test_bad_input_is_one_line(few, words, what, capsys):
    assert what in refused(capsys, *words, "--results", str(few))


def test_no_records_is_one_line(tmp_path, capsys):
    for words in (("compare", "nla", "ce"), ("power",), ("export", "--format", "csv", "--out", str(tmp_path / "o"))):
        assert "no records under" in refused(capsys, *words, "--results", str(tmp_path))
    assert not (tmp_path / "o").exists()
    assert "export: found neither" in refused(capsys, "export")
    assert "export --method" in refused(capsys, "export", "--protocol", "clean", "--method", "ce")


def test_a_missing_extra_is_one_line(few, tmp_path, monkeypatch, capsys):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    words = ("compare", "nla", "ce", "--results", str(few), "--figure", str(tmp_path / "a.pdf"))
    assert "pip install 'fer-bench[report]'" in refused(capsys, *words)


def test_power_is_honest_about_three_seeds(few, capsys):
    assert call("power", "--results", str(few), "--method", "nla", "--gain", "2", "--format", "markdown") == 0
    out = capsys.readouterr().out
    assert "known from 3 seeds only" in out and "| synthetic | noise30" in " ".join(out.split())


def test_export_writes_records(few, tmp_path, capsys):
    assert call("export", "--format", "json", "--results", str(few), "--protocol", "clean", "--out",
                str(tmp_path / "o")) == 0
    runs, curves = map(str.strip, capsys.readouterr().out.splitlines())
    assert [len(json.loads(Path(name).read_text())) for name in (runs, curves)] == [9, 9 * 12]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return Place(tmp_path_factory.mktemp("judge"), 1)


def test_runs_keep_the_classes_of_their_test_faces(place, capsys):
    """One set for all runs of a dataset, and a finished run adds it where it is lacking."""
    words = place.words("--method", "ce,focal", "--protocol", "clean", results="kept")
    assert call(*words) == 0
    (path,) = (place.root / "kept" / "test-faces").glob("*.json")
    text, records = path.read_text(), place.records("kept")
    labels, count = json.loads(text)["labels"], len(records[0]["result"]["confusion"])
    for record in records:
        confusion = [[0] * count for _ in range(count)]
        for label, predicted in zip(labels, record["result"]["predictions"], strict=True):
            confusion[label][predicted] += 1
        assert confusion == record["result"]["confusion"]
    path.unlink()
    assert call(*words) == 0
    assert path.read_text() == text
    capsys.readouterr()
    assert call("compare", "focal", "ce", "--results", str(place.root / "kept")) == 0
    assert "McNemar" in capsys.readouterr().out
    path.write_text('{"labels": [0]')
    assert call("compare", "focal", "ce", "--results", str(place.root / "kept")) == 0
    found = capsys.readouterr()
    assert "are damaged" in found.err and "No interval" in found.out


def test_folds_keep_which_faces_they_are(tmp_path, capsys):
    """All folds of a seed together hold every face once, and compare puts them together."""
    place = Place(tmp_path, 1)
    shutil.rmtree(place.data / "test", ignore_errors=True)
    words = place.words("--method", "ce,focal", "--protocol", "clean", "--folds", "2", results="folds")
    assert call(*words) == 0
    found = [json.loads(path.read_text()) for path in (place.root / "folds" / "test-faces").glob("*.json")]
    assert len(found) == 2
    rows = sorted(row for one in found for row in one["rows"])
    assert rows == list(range(len(rows)))
    capsys.readouterr()
    assert call("compare", "focal", "ce", "--results", str(place.root / "folds"), "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["faces"] == len(rows)


def test_a_full_disk_is_said_and_no_run_s_fault(place, capsys, monkeypatch):
    """The file of test faces cannot be written: the run counts, the line says what is lacking."""
    def full(path, text):
        raise OSError(28, "No space left on device")

    words = place.words("--method", "ce", "--protocol", "clean", results="full")
    monkeypatch.setattr("fer_bench.runs.test_faces.write_whole", full)
    assert call(*words) == 0
    assert "could not be kept" in capsys.readouterr().err
    monkeypatch.undo()
    assert call(*words) == 0
    assert list((place.root / "full" / "test-faces").glob("*.json"))
