"""Protocols at the command line: lists of labels, seeds of draws, factors; and what of them stands in a record."""

from __future__ import annotations

import csv
import hashlib
import io
import shutil
from pathlib import Path

import pytest
from fakedata import zipped
from tinyfolder import Place, call, refused

CLASSES = ("bars", "columns", "squares")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    return Place(tmp_path_factory.mktemp("protocols"), epochs=1)


def exported(place: Place, capsys, *words: str, name: str = "exported.csv") -> Path:
    """What export writes, in a file."""
    capsys.readouterr()
    assert call("export", "--dataset", f"folder:{place.data}", "--cache", str(place.cache), *words) == 0
    path = place.root / name
    path.write_text(capsys.readouterr().out)
    return path


def rows_of(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text())))[1:]


def own(place: Place, name: str, text: str) -> str:
    path = place.root / f"{name}.yaml"
    path.write_text(f"title: t\n{text}\n")
    return str(path)


def listed(place: Place, name: str, wrong: int, mark: str = "") -> Path:
    """A list of the 60 training faces with so many wrong labels, counted from 1."""
    faces = [(f"train/{one}/{i:03d}.png", label + 1) for label, one in enumerate(CLASSES) for i in range(20)]
    path = place.root / name
    lines = [f"{face} {(label + (n < wrong) - 1) % 3 + 1}" for n, (face, label) in enumerate(faces)]
    path.write_text(mark + "\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("protocols", ["noise10", "clean", "clean,noise10", "imb20_256"])
def test_a_list_that_nothing_reads_is_refused(place, capsys, protocols):
    words = ("--protocol", protocols, "--noise-list", str(listed(place, "idle.txt", 6)))
    line = refused(capsys, *place.words("--method", "ce", *words, results="none"))
    assert f"no list is read under {protocols.replace(',', ', ')}; leave it out, or name a protocol that reads" in line


@pytest.mark.parametrize("protocol", ["noise10", "clean"])
def test_export_too_refuses_a_list_that_nothing_reads(place, capsys, protocol):
    path = str(listed(place, "idle.txt", 6))
    assert "no list is read" in refused(capsys, "export", "--protocol", protocol, "--noise-list", path)


def test_a_list_may_stand_beside_protocols_that_read_none(place, capsys):
    words = ("--protocol", "clean,eac-noise10", "--noise-list", str(listed(place, "ten.txt", 6)), "--dry-run")
    assert call(*place.words("--method", "ce", *words)) == 0


@pytest.mark.parametrize(("protocol", "asked"), [("eac-noise20", 20), ("eac-noise30", 30)])
def test_the_list_of_another_rate_is_refused(place, capsys, protocol, asked):
    words = ("--protocol", protocol, "--noise-list", str(listed(place, "ten.txt", 6)))
    line = refused(capsys, *place.words("--method", "ce", *words, results="none"))
    assert f"noise list ten.txt: 10.00 % of its labels are changed, protocol '{protocol}' expects {asked} %" in line


@pytest.mark.parametrize(("dropped", "added", "expected"), [
    ([], "train/bars/000.png 3", ":61: 'train/bars/000.png' has label 3 here, 2 in line 1"),
    (["bars/019.png 1", "columns/019.png 2"], "019.png 1", "'019.png' is not enough to tell which face is meant"),
    (["bars/019.png 1"], "", "1 of 60 training faces of 'folder:faces' are not in it, first train/bars/019.png"),
    ([], "train/bars/000.png", "found 'train/bars/000.png', expected 'name label'")])
def test_a_bad_list_is_refused_in_one_line(place, capsys, dropped, added, expected):
    text = listed(place, "bad.txt", 6).read_text()
    for line in dropped:
        text = text.replace(f"train/{line}\n", "")
    (place.root / "bad.txt").write_text(text + added + "\n")
    words = ("--protocol", "eac-noise10", "--noise-list", str(place.root / "bad.txt"))
    assert expected in refused(capsys, *place.words("--method", "ce", *words, results="none"))


def test_a_list_counts_by_its_bytes_and_stands_in_the_record(place):
    """With a byte order mark, too; the rate that it was checked against is no part of the run's identity."""
    path = listed(place, "marked.txt", 6, mark="\ufeff")
    plain = own(place, "eac-noise10", "noise: {kind: list, file: marked.txt}")
    for protocol, results in (("eac-noise10", "listed"), (plain, "unchecked")):
        words = ("--method", "ce", "--protocol", protocol, "--noise-list", str(path))
        assert call(*place.words(*words, results=results)) == 0
    record, same = (place.records(results)[0] for results in ("listed", "unchecked"))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert record["spec"]["protocol"]["noise"]["file"] == f"sha256:{digest}" and record["id"] == same["id"]
    assert record["trained_on"] == {"faces": 60, "counts": dict.fromkeys(CLASSES, 20), "noise_rate": 0.1,
                                    "imbalance_factor": 1.0, "noise_list": {"name": "marked.txt", "sha256": digest}}


def test_the_list_in_the_zip_of_the_dataset_is_found(place, capsys):
    folder = place.root / "packed"
    shutil.copytree(place.data, folder)
    (folder / "EmoLabel").mkdir()
    shutil.copy(listed(place, "ten.txt", 6), folder / "EmoLabel" / "noise01.txt")
    archive = zipped(folder)
    shutil.rmtree(folder)
    capsys.readouterr()
    assert call("export", "--protocol", "eac-noise10", "--dataset", f"folder:{archive}", "--cache",
                str(place.cache)) == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))[1:]
    assert sum(given != true for _, given, true in rows) == 6


@pytest.mark.parametrize("extra", ["", "imbalance: {factor: 5}\n", "classes: [squares, bars]\n"])
def test_what_export_writes_is_read_back_as_a_list(place, capsys, extra):
    made = own(place, "made", f"{extra}noise: {{kind: symmetric, rate: 0.3}}")
    back = own(place, "back", f"{extra}noise: {{kind: list, file: absent.txt, rate: 0.3}}")
    path = exported(place, capsys, "--protocol", made, "--seed", "2")
    words = ("--protocol", back, "--seed", "2", "--noise-list", str(path))
    assert rows_of(exported(place, capsys, *words, name="again.csv")) == rows_of(path)


def test_an_export_of_other_classes_is_refused(place, capsys):
    made = own(place, "made", "classes: [squares, bars]\nnoise: {kind: symmetric, rate: 0.3}")
    path = exported(place, capsys, "--protocol", made)
    words = ("--protocol", own(place, "back", "noise: {kind: list, file: x}"), "--noise-list", str(path))
    assert "use a list of this dataset and of the same classes" in refused(
        capsys, *place.words("--method", "ce", *words, results="none"))


def runs_of(capsys, place: Place, *words: str) -> list[str]:
    capsys.readouterr()
    assert call(*place.words("--method", "ce", *words, "--dry-run", results="dry")) == 0
    return [line.split()[0] for line in capsys.readouterr().out.partition("\n\n")[0].splitlines()]


def test_a_seed_of_the_draw_is_part_of_a_run_s_identity(place, capsys):
    plain, drawn = runs_of(capsys, place, "--protocol", "noise10,noise10_1")
    same = own(place, "noise10", "noise: {kind: symmetric, rate: 0.1}")
    assert plain != drawn and runs_of(capsys, place, "--protocol", f"{same},noise10_01") == [plain, drawn]


def test_a_drawn_protocol_s_record_says_so_and_its_labels_are_that_seed_s(place, capsys):
    words = place.words("--method", "ce", "--protocol", "noise10_7", "--seeds", "0,1", results="drawn")
    assert call(*words) == 0
    contents = [record["spec"]["protocol"] for record in place.records("drawn")]
    assert [(c["name"], c["noise"]["seed"]) for c in contents] == [("noise10_7", 7)] * 2
    one, other = (rows_of(exported(place, capsys, *seeded, name=f"{seeded[-1]}.csv")) for seeded in (
        ("--protocol", "noise10_7", "--seed", "3"), ("--protocol", "noise10", "--seed", "7")))
    assert one == other


@pytest.mark.parametrize(("protocol", "expected"), [
    ("clean_5", "'clean' draws neither imbalance nor noise"), ("imb21_256", "did you mean imb20_256"),
    ("20_256", "did you mean imb20_256"), ("imb20,noise10_x", "unknown protocol 'noise10_x': did you mean noise10")])
def test_bad_seeds_of_draws_end_with_one_line(place, capsys, protocol, expected):
    assert expected in refused(capsys, *place.words("--method", "ce", "--protocol", protocol, results="none"))


def test_a_factor_that_cannot_be_reached_is_refused_with_those_that_can(place, capsys):
    protocol = own(place, "imb21", "imbalance: {factor: 21}")
    line = refused(capsys, *place.words("--method", "ce", "--protocol", protocol, results="none"))
    assert "imbalance factor 21: leaves no true training label of" in line and "factors 1 to 20 can be reached" in line


@pytest.fixture(scope="module")
def skewed(tmp_path_factory) -> Place:
    """20, 20 and 3 training faces: more skewed than factor 5."""
    place = Place(tmp_path_factory.mktemp("skewed"), epochs=1)
    for path in sorted((place.data / "train" / "squares").iterdir())[3:]:
        path.unlink()
    return place


def test_a_shrunk_head_makes_another_run_and_is_said_and_recorded(skewed, capsys):
    """Factor 5 was 20 : 3 before, under this same content of the protocol: the head is what tells the runs apart."""
    five, ten = (own(skewed, f"imb{factor}", f"imbalance: {{factor: {factor}}}") for factor in (5, 10))
    assert call(*skewed.words("--method", "ce", "--protocol", f"{five},{ten}")) == 0
    assert "imb5 on folder:faces: the largest class keeps 15 faces, so that the factor is reached" in (
        capsys.readouterr().err)
    shrunk, full = sorted(skewed.records(), key=lambda record: record["spec"]["protocol"]["imbalance"]["factor"])
    assert shrunk["spec"]["protocol"]["imbalance"]["head"] == 15 and shrunk["trained_on"]["faces"] == 15 + 6 + 3
    assert "head" not in full["spec"]["protocol"]["imbalance"] and full["trained_on"]["faces"] == 20 + 6 + 2


def test_verify_makes_a_drawn_and_shrunk_run_again(skewed, capsys):
    protocol = own(skewed, "imb4", "imbalance: {factor: 4, seed: 9}")
    assert call(*skewed.words("--method", "ce", "--protocol", protocol, results="again")) == 0
    record = skewed.records("again")[0]
    assert call("verify", record["id"], "--results", str(skewed.root / "again"), "--work", str(skewed.root / "w"),
                "--cache", str(skewed.cache), "--dataset", f"folder:{skewed.data}", "--protocol", protocol,
                "--recipe", str(skewed.recipe), "--device", "cpu") == 0


def test_list_protocols_tells_of_seeds_in_names(capsys):
    assert call("list", "protocols") == 0
    shown = capsys.readouterr().out
    assert "NAME_SEED" in shown and "imb20_256" in shown and "noise50" in shown
