"""Other test sets, parts of the test set, folds, roots and names of one's own, through the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import moredata as more
import numpy as np
import pytest
from PIL import Image
from tinyfolder import CLASSES, Place, call, make_folder, refused

from fer_bench.cli.options import parse_roots
from fer_bench.data.catalog import ask
from fer_bench.engine.corruptions import CORRUPTIONS, corrupted
from fer_bench.engine.further import Trained, training_faces
from fer_bench.errors import UserError
from fer_bench.protocols.prepare import Faces
from fer_bench.runs.further import corruption_test
from fer_bench.runs.store import read_records
from fer_bench.tables import make_table


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    made = Place(tmp_path_factory.mktemp("further"), epochs=1)
    make_folder(made.root / "others", 8, 6)
    for split in ("train", "test"):  # another class, one that is missing, and another order
        shutil.move(made.root / "others" / split / "bars", made.root / "others" / split / "zigzag")
    return made


def outcomes(place: Place, results: str) -> dict[str, dict]:
    found = [json.loads(path.read_text()) for path in (place.root / results / "further").glob("??/*/*.json")]
    return {one["name"]: one for one in found}


def trained(place: Place, results: str, *more: str) -> dict:
    assert call(*place.words("--method", "ce", *more, results=results)) == 0
    return place.records(results)[0]


def test_a_test_elsewhere_leaves_the_run_as_it_is(place, capsys):
    plain = trained(place, "plain")
    capsys.readouterr()
    tested = trained(place, "tested", "--test-on", f"folder:{place.root / 'others'}", "--test-subset", "unique")
    shown = capsys.readouterr().out
    assert "### Trained on one dataset, tested on others" in shown and "### Parts of the test set" in shown
    assert "Corrupted" not in shown
    assert tested["id"] == plain["id"] and tested["result"] == plain["result"]
    other = outcomes(place, "tested")["folder:others"]
    assert other["about"]["classes"] == ["columns", "squares"] and other["result"]["faces"] == 12
    assert str(place.root) not in json.dumps(other), "no path of this machine"
    confusion = np.array(other["result"]["confusion"])
    assert confusion.sum(1).tolist() == [6, 6] and confusion.shape == (2, 2)
    assert other["result"]["overall"] == confusion.trace() / 12
    unique = outcomes(place, "tested")["unique"]["result"]
    assert unique["faces"] == 30 and unique["confusion"] == plain["result"]["confusion"]


def test_a_part_of_the_test_set_is_told_from_the_record_alone(place, capsys):
    record = trained(place, "subset")
    ids = [f"test/{name}/00{i}.png" for name in CLASSES[:2] for i in range(4)]
    listed = place.root / "pose.txt"
    listed.write_text("id\n" + "\n".join(ids))
    shutil.rmtree(place.root / "work" / "subset", ignore_errors=True)
    capsys.readouterr()
    assert call(*place.words("--method", "ce", "--test-subset", f"pose={listed}", results="subset")) == 0
    assert "trained again" not in capsys.readouterr().err
    predicted = np.array(record["result"]["predictions"]).reshape(3, 10)[:2, :4]  # test faces by class, then by name
    assert outcomes(place, "subset")["pose"]["result"]["overall"] == (predicted == [[0], [1]]).mean()


def test_a_run_without_its_network_is_trained_again_and_said(place, capsys):
    first = trained(place, "again")
    shutil.rmtree(place.root / "work" / "again", ignore_errors=True)
    capsys.readouterr()
    again = trained(place, "again", "--test-on", f"folder:{place.root / 'others'}")
    assert "its network is not: it is trained again" in capsys.readouterr().err
    assert again["result"] == first["result"] and "folder:others" in outcomes(place, "again")
    assert call(*place.words("--method", "ce", "--test-on", f"folder:{place.root / 'others'}", results="again")) == 0
    assert "epoch 1/1" not in capsys.readouterr().err, "nothing is left to do"


def test_tests_of_another_network_do_not_come_to_stand_beside_a_record(place, capsys):
    """As on another processor: the record there has other bits than what the run gives here."""
    record = trained(place, "there")
    path = next((place.root / "there" / "records").glob("??/*.json"))
    moved = {**record["result"], "last": {**record["result"]["last"], "overall": 0.5}}
    path.write_text(json.dumps({**record, "result": moved, "environment": {**record["environment"], "device": "A"}}))
    shutil.rmtree(place.root / "work" / "there", ignore_errors=True)
    words = ("--method", "ce", "--test-on", f"folder:{place.root / 'others'}")
    capsys.readouterr()
    assert call(*place.words(*words, results="there")) == 1
    said = capsys.readouterr().err
    assert "it may become another one (device A there" in said and "its further tests are not kept" in said
    assert not outcomes(place, "there") and json.loads(path.read_text())["result"] == moved
    elsewhere = place.words(*words, results="there")
    elsewhere[elsewhere.index("--results") + 1] = str(place.root / "here")
    assert call(*elsewhere) == 0 and "folder:others" in outcomes(place, "here")
    assert "epoch 1/1" not in capsys.readouterr().err, "the network was still there"


def test_copies_of_training_faces_are_left_out_of_the_unique_ones(place, tmp_path):
    data = make_folder(tmp_path / "copied", 8, 4)
    for name in CLASSES:
        shutil.copy(data / "train" / name / "000.png", data / "test" / name / "001.png")
    words = place.words("--method", "ce", "--test-subset", "unique", results="copies")
    words[1] = f"folder:{data}"
    assert call(*words) == 0
    assert outcomes(place, "copies")["unique"]["result"]["faces"] == 9


def test_tables_of_further_tests(place, capsys):
    for method in ("ce", "focal"):
        words = ["--method", method, "--test-on", f"folder:{place.root / 'others'}", "--seeds", "2"]
        words += ["--test-subset", "unique"] if method == "ce" else []
        assert call(*place.words(*words, results="tables")) == 0
    capsys.readouterr()
    assert call("table", "--results", str(place.root / "tables"), "--layout", "cross") == 0
    shown = capsys.readouterr().out
    assert "folder:faces overall" in shown and "folder:others mean" in shown
    assert "Test faces, through the classes that both have: folder:others 12 (columns, squares)." in shown
    assert call("table", "--results", str(place.root / "tables"), "--layout", "subsets") == 0
    shown = capsys.readouterr()
    assert "all overall" in shown.out and "unique overall" in shown.out and "runs missing: 2" not in shown.out
    assert refused(capsys, "table", "--results", str(place.root / "tables"), "--layout", "cross", "--select", "best")
    line = refused(capsys, "table", "--results", str(place.root / "tables"), "--layout", "votes")
    assert "give their commands again with --test-votes" in line


def test_corrupted_faces_are_those_of_the_corruptions(place, capsys):
    trained(place, "corrupted", "--test-corruptions")
    found = outcomes(place, "corrupted")["corruptions"]["result"]
    assert found.keys() == set(CORRUPTIONS) and all(len(strengths) == 5 for strengths in found.values())
    assert call("table", "--results", str(place.root / "corrupted"), "--layout", "corruptions") == 0
    row = capsys.readouterr().out.partition("### Corrupted")[2].splitlines()[4]
    means = [np.mean([one["overall"] for one in found[name]]) for name in sorted(CORRUPTIONS)]
    cells = [cell.strip() for cell in row.strip("|").split("|")][3:]
    assert cells[2:-2:2] == [f"{100 * mean:.2f}" for mean in means] and cells[-2] == f"{100 * np.mean(means):.2f}"


def test_a_corruption_test_predicts_the_corrupted_faces():
    images = np.random.default_rng(0).integers(0, 256, (30, 12, 12), np.uint8)
    labels = np.arange(30) % 2
    faces = Faces(images, labels, labels, tuple(map(str, range(30))), None)
    seen = []

    def predict(shown):
        seen.append(np.array(shown))
        return np.stack([shown.mean((1, 2)) - 127.5, 127.5 - shown.mean((1, 2))], 1)

    found = corruption_test().run(Trained(predict, faces, faces, labels, labels[:0], labels[:0]))
    expected = [corrupted(images, faces.ids, name, strength) for name in CORRUPTIONS for strength in range(1, 6)]
    assert all((one == other).all() for one, other in zip(seen, expected, strict=True))
    right = ((expected[0].mean((1, 2)) < 127.5) == labels).mean()
    assert found[CORRUPTIONS[0]][0]["overall"] == pytest.approx(right)


def test_votes_of_the_drawn_faces(place, capsys):
    words = ["--method", "ce", "--set-recipe", "epochs=1", "--set-recipe", "image_size=16", "--cache", str(place.cache)]
    words += ["--results", str(place.root / "votes"), "--work", str(place.root / "work" / "votes")]
    assert call(*words, "--test-votes") == 0
    found = outcomes(place, "votes")["votes"]["result"]
    assert found["faces"] + found["without_votes"] == 1000 and found["nll"] > found["kl"] > 0
    assert call("table", "--results", str(place.root / "votes"), "--layout", "votes") == 0
    shown = capsys.readouterr().out
    assert "8-9 of 10" in shown and f"{found['kl']:.3f}" in shown


def test_training_faces_are_listed_by_probability_and_weight():
    given, true = np.array([0, 1, 0, 1, 1]), np.array([1, 1, 1, 0, 0])
    faces = Faces(np.arange(5).reshape(5, 1, 1).astype(np.uint8), given, true, tuple("abcde"), None)
    logits = np.array([[2.0, 0], [9, 9], [3, 0], [5, 0], [0, 1]])  # a, c and e are learnt by heart, d is not

    def predict(images):
        return logits[np.array(images).ravel()].astype(np.float32)

    weighted, weight = np.array([0, 1, 3, 4]), np.array([0.5, 0.1, np.nan, 0.1], np.float32)
    found = training_faces(Trained(predict, faces, faces, given, weighted, weight), most=2)
    assert (found["faces"], found["wrong"]) == (5, 4)
    share = [round(float(np.exp(x) / (1 + np.exp(x))), 4) for x in (3, 2, 1)]
    assert found["memorised"] == [["c", 0, 1, share[0]], ["a", 0, 1, share[1]]]
    assert found["lowest"] == [["b", 1, 1, 0.1], ["e", 1, 0, 0.1]]
    assert found["highest"] == [["a", 0, 1, 0.5], ["b", 1, 1, 0.1]]


def test_training_faces_are_the_same_from_a_checkpoint(place, capsys):
    def once(results, *more):
        words = ["--method", "nla", "--protocol", "noise30", "--set-recipe", "epochs=1", "--set-recipe",
                 "image_size=16", "--cache", str(place.cache), "--results", str(place.root / results)]
        assert call(*words, "--work", str(place.root / "work" / results), *more) == 0

    once("at-once", "--test-training")
    once("later", "--save-every", "0")
    capsys.readouterr()
    once("later", "--test-training")
    assert "trained again" not in capsys.readouterr().err
    found = outcomes(place, "at-once")["training"]["result"]
    assert found == outcomes(place, "later")["training"]["result"]
    record = place.records("at-once")[0]
    assert record == {**place.records("later")[0], **{key: record[key] for key in ("cost", "environment")}}
    assert found["wrong"] == 900 and found["lowest"] and found["highest"][0][3] > found["lowest"][0][3]
    assert all(given != true for _, given, true, _ in found["memorised"])


BAD = {
    "no votes": (("--test-votes",), "has no annotators' votes"),
    "the same": (("--test-on", "folder:DATA"), "the runs train on it"),
    "no such": (("--test-on", "rafbd"), "unknown dataset 'rafbd': did you mean rafdb"),
    "nothing shared": (("--test-on", "folder:STRANGE"), "shares 0 classes"),
    "no equals": (("--test-subset", "pose"), "expected NAME=FILE, or 'unique'"),
    "no file": (("--test-subset", "pose=none.txt"), "none.txt: not a readable list"),
    "no test face": (("--test-subset", "pose=LIST"), "1 of 2 ids are no test faces, first 'train/bars/000.png'"),
    "twice": (("--test-subset", "unique", "--test-subset", "unique"), "'unique' is taken"),
    "folds": (("--folds", "3"), "has an official test set; leave --folds out"),
    "one fold": (("--folds", "1"), "one part leaves no faces to train on"),
    "nothing named": (("--test-on", ""), "--test-on: nothing named"),
    "root": (("--data-root", "rafbd=/tmp"), "--data-root rafbd=/tmp: no such dataset is asked for"),
    "option": (("--data-option", "labels=nla"), "none of the datasets asked for has it"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line(place, capsys, case, tmp_path):
    (tmp_path / "list").write_text("test/bars/000.png\ntrain/bars/000.png\n")
    strange = tmp_path / "strange"
    make_folder(strange, 4, 4)
    for split in ("train", "test"):
        for name in CLASSES:
            shutil.move(strange / split / name, strange / split / f"{name}s")
    words, expected = BAD[case]
    for name, path in (("DATA", place.data), ("STRANGE", strange), ("LIST", tmp_path / "list")):
        words = tuple(word.replace(name, str(path)) for word in words)
    assert expected in refused(capsys, *place.words("--method", "ce", *words, results="bad"))
    assert not (place.root / "bad" / "records").exists()


def untested(root: Path) -> Path:
    """A CSV of faces without any test set."""
    generator = np.random.default_rng(3)
    lines = ["path,label,split"]
    for label, name in enumerate(CLASSES):
        for i in range(9):
            path = root / f"{name}{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(generator.integers(0, 120 + 60 * label, (16, 16), np.uint8)).save(path)
            lines.append(f"{path.name},{name},train")
    (root / "faces.csv").write_text("\n".join(lines) + "\n")
    return root / "faces.csv"


def test_folds_test_every_face_once_and_one_table_holds_them(place, capsys, tmp_path):
    words = place.words("--method", "ce,focal", "--seeds", "2", "--folds", "3", results="folds")
    words[1] = f"mine=csv:{untested(tmp_path / 'own')}"
    without = [word for word in words if word not in ("--folds", "3")]
    assert "'mine' has no test set of its own: add --folds 5" in refused(capsys, *without)
    assert call(*words) == 0
    records = read_records(place.root / "folds")
    assert len(records) == 2 * 2 * 3 and {r["spec"]["dataset"]["name"] for r in records} == {"mine"}
    for seed in (0, 1):
        own = [r for r in records if r["label"] == "ce" and r["spec"]["seed"] == seed]
        assert sorted(r["spec"]["dataset"]["fold"] for r in own) == [[1, 3], [2, 3], [3, 3]]
        assert sum(np.array(r["result"]["confusion"]).sum() for r in own) == 27
    table = make_table(records, "comparison")
    cell = table.sections[0].rows[0].cells[0]
    assert cell is not None and cell.n == 6
    assert cell.value == pytest.approx(np.mean([r["result"]["last"]["overall"] for r in records if r["label"] == "ce"]))
    assert any("6 runs (3 folds of each seed; tests compare means over folds)" in note for note in table.footnotes)
    fewer = make_table(records[:-1], "comparison")
    assert any("runs missing: 1" in note for note in fewer.footnotes) and "3" in fewer.missing[0].options


def test_a_named_root_comes_before_the_one_for_all_others():
    roots = {"": Path("all"), "ckplus": Path("ck"), "mine": Path("own")}
    assert ask("ckplus", roots).place == Path("ck") and ask("jaffe", roots).place == Path("all")
    assert ask("mine=jaffe", roots).place == Path("own") and ask("other=ckplus", roots).place == Path("ck")
    assert ask("jaffe", {"ckplus": Path("ck")}).place is None


FOLD = {("--folds", "2", "--fold", "1"): 0, ("--folds", "2"): 2, ("--fold", "1"): 2, ("--folds", "2", "--fold", "3"): 2}


@pytest.mark.parametrize("words", FOLD)
def test_a_fold_is_exported(tmp_path, capsys, words):
    root = more.jaffe(tmp_path / "jaffe")
    status = call("export", "--protocol", "clean", "--dataset", "jaffe", "--data-root", str(root), "--cache",
                  str(tmp_path / "cache"), *words)
    shown = capsys.readouterr()
    assert status == FOLD[words]
    assert len(shown.out.splitlines()) == 43 if status == 0 else "expected both, or neither" in shown.err


def test_roots_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b").mkdir()
    assert parse_roots(["data", "mine=/x"]) == {"": Path("data"), "mine": Path("/x")}
    assert parse_roots(["a=b"]) == {"": Path("a=b")}, "a folder that is there is no name"
    with pytest.raises(UserError, match="the second for all datasets after one"):
        parse_roots(["one", "two"])
