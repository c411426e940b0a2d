"""Classes that are one in several spellings, and tables of faces as people write them."""

from __future__ import annotations

from pathlib import Path

import fakedata as fake
import moredata as more
import numpy as np
import pytest

from fer_bench.data.catalog import ask
from fer_bench.data.expressions import EXPRESSIONS, SHORT, SPELLINGS, expression_of_label
from fer_bench.data.opening import open_dataset
from fer_bench.data.pack import Pack
from fer_bench.errors import UserError

BY_NAME = {"classes": "expressions"}


def opened(name: str, place: Path, options: dict[str, str] | None = None) -> Pack:
    return open_dataset(ask(name, None, options), place / "cache")


def line_of(name: str, place: Path, options: dict[str, str] | None = None) -> str:
    with pytest.raises(UserError) as error:
        opened(name, place, options)
    assert str(error.value).isprintable()
    return str(error.value)


def test_every_spelling_is_of_one_expression() -> None:
    assert set(SPELLINGS) == set(EXPRESSIONS) == set(SHORT.values())
    for name, spelled in SPELLINGS.items():
        for word in (name, *spelled):
            assert expression_of_label(word.upper()) == expression_of_label(f" {word.title()} ") == name
    assert expression_of_label("HA") == "happiness" and expression_of_label("none") is None


@pytest.mark.parametrize(("classes", "both"), [
    (("ANGER", "anger", "fear"), "'ANGER' and 'anger'"), (("Happy", "fear", "happiness"), "'Happy' and 'happiness'"),
    (("1", "01", "2"), "'01' and '1'"),
])
def test_one_class_in_two_spellings_is_refused(tmp_path: Path, classes: tuple[str, ...], both: str) -> None:
    root = fake.class_folders(tmp_path / "faces", classes)
    line = line_of(f"folder:{root}", tmp_path)
    assert both in line and ("classes=expressions" in line) == ("1" not in classes)
    table = fake.csv_file(tmp_path / "mine", classes)
    assert both in line_of(f"csv:{table}", tmp_path)


def test_expressions_have_one_name_and_order(tmp_path: Path) -> None:
    table = fake.csv_file(tmp_path / "mine", ("Happy", "sad", "happiness", "ANGRY"))
    pack = opened(f"csv:{table}", tmp_path, BY_NAME)
    assert pack.classes == ("happiness", "sadness", "anger") and pack.name == "csv:faces.csv classes=expressions"
    assert pack.train.labels.tolist() == [0, 1, 0, 2]
    root = fake.class_folders(tmp_path / "faces", ("SA", "NE"))
    assert opened(f"folder:{root}", tmp_path, BY_NAME).classes == ("neutral", "sadness")
    root = fake.class_folders(tmp_path / "odd", ("sad", "bored"))
    assert "label 'bored' is no expression known" in line_of(f"folder:{root}", tmp_path, BY_NAME)


def test_splits_may_spell_an_expression_in_several_ways(tmp_path: Path) -> None:
    root = fake.class_folders(tmp_path / "faces", ("Happy", "sad"), ("train",))
    fake.class_folders(root, ("SA", "happiness", "joy"), ("test",))
    line = line_of(f"folder:{root}", tmp_path)
    assert "'Happy' and 'happiness'" in line and "--data-option classes=expressions" in line
    pack = opened(f"folder:{root}", tmp_path, BY_NAME)
    assert pack.classes == ("happiness", "sadness") and pack.train.labels.tolist() == [0, 0, 1, 1]
    assert dict(zip(pack.test.ids, pack.test.labels.tolist(), strict=True)) == {
        "test/SA/0.png": 1, "test/SA/1.png": 1, **{f"test/{name}/{i}.png": 0 for name in ("happiness", "joy")
                                                   for i in (0, 1)}}
    fake.image(root / "test/anger/0.png", 1)
    assert "test/anger: no class of this dataset" in line_of(f"folder:{root}", tmp_path, BY_NAME)
    (root / "train/anger").mkdir()
    assert "train/anger: this class folder holds no images" in line_of(f"folder:{root}", tmp_path, BY_NAME)


def test_one_class_in_all_is_refused(tmp_path: Path) -> None:
    assert "1 class (sad), expected at least two" in line_of(f"csv:{fake.csv_file(tmp_path / 'x', ('sad',))}", tmp_path)


def test_a_label_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    table = fake.csv_file(tmp_path / "mine", ("sad", "\x1b[31mred"))
    assert "has control characters" in line_of(f"csv:{table}", tmp_path)


def table_of(place: Path, header: str, rows: list[str], start: str = "") -> Path:
    for i in range(6):
        fake.image(place / f"{i}.png", i, (20, 16), "L")
    (place / "t.csv").write_text(start + "\n".join([header, *rows]) + "\n")
    return place / "t.csv"


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("header", ["path,label,split", "Image,Emotion,Usage", "FILENAME,class,set"])
def test_separators_and_headers(tmp_path: Path, mark: str, header: str) -> None:
    rows = [f"{i}.png,{'sad' if i % 2 else 'happy'},{split}" for i, split in enumerate(
        ("Training", "train", "TRAIN", "PrivateTest", "Testing", "test"))]
    table = table_of(tmp_path / "t", header.replace(",", mark), [row.replace(",", mark) for row in rows], "\ufeff")
    pack = opened(f"csv:{table}", tmp_path)
    assert len(pack.train) == len(pack.test) == 3 and pack.classes == ("happy", "sad")


def test_several_faces_of_one_image(tmp_path: Path) -> None:
    rows = ["a,0.png,sad,train,0,0,10,10", "b,0.png,happy,train,10,6,10,10", "c,1.png,sad,test,0,0,10,10",
            "d,1.png,happy,test,5,5,10,10"]
    pack = opened(f"csv:{table_of(tmp_path / 't', 'id,path,label,split,x,y,width,height', rows)}", tmp_path)
    assert pack.train.ids == ("a", "b") and pack.train.images.shape == (2, 10, 10)
    whole = opened(f"csv:{table_of(tmp_path / 'w', 'path,label,split', WHOLE)}", tmp_path)
    assert (pack.train.images[1] == whole.train.images[0][6:16, 10:20]).all()
    bad = rows[:3] + ["d,1.png,happy,test,5,5,0,10"]
    line = line_of(f"csv:{table_of(tmp_path / 'b', 'id,path,label,split,x,y,width,height', bad)}", tmp_path)
    assert "t.csv:5" in line and "face box '5,5,0,10'" in line and "not empty" in line


WHOLE = ["0.png,sad,train", "1.png,happy,train", "2.png,sad,test", "3.png,happy,test"]


def test_votes_a_second_label_and_subjects(tmp_path: Path) -> None:
    rows = ["0.png,sad,train,3,7,happy,Ann,x", "1.png,happy,train,9,1,,Bob,x", "2.png,sad,test,0,10,sad,Ann,x",
            "3.png,happy,test,10,0,happy,Cem,x"]
    header = "path,label,split,votes_happy,votes_sad,first,subject,rest"
    table = table_of(tmp_path / "t", header, rows)
    pack = opened(f"csv:{table}", tmp_path, {"column": "first"})
    assert pack.train.votes is not None and pack.train.votes.tolist() == [[3, 7], [9, 1]]
    assert pack.train.columns["first"].tolist() == [0, -1]
    assert pack.train.columns["subject"].tolist() == [0, 1] and pack.test.columns["subject"].tolist() == [0, 2]
    assert "1 subjects are in several splits (Ann)" in pack.notes
    assert any("left: rest" in note for note in pack.notes)
    wrong = table_of(tmp_path / "w", header.replace("votes_sad", "votes_mad"), rows)
    assert "'mad' is no class of its labels" in line_of(f"csv:{wrong}", tmp_path)


@pytest.mark.parametrize("vote", ["nan", "-1", "inf", "1e9", "many", "1,5"])
def test_what_is_no_vote_is_refused(tmp_path: Path, vote: str) -> None:
    rows = [f"{row};3;{vote if number == 1 else 7}" for number, row in enumerate(WHOLE)]
    rows = [row.replace(",", ";", 2) for row in rows]
    line = line_of(f"csv:{table_of(tmp_path / 't', 'path;label;split;votes_happy;votes_sad', rows)}", tmp_path)
    assert "t.csv:3" in line and f"votes_sad '{vote}' is no number of votes" in line


def test_classes_and_faces_without_votes_are_said(tmp_path: Path) -> None:
    votes = ["3", "0", "", "2"]
    rows = [f"{row},{vote}" for row, vote in zip(WHOLE, votes, strict=True)]
    pack = opened(f"csv:{table_of(tmp_path / 't', 'path,label,split,votes_happy', rows)}", tmp_path)
    assert pack.train.votes is not None and pack.train.votes.tolist() == [[3, 0], [0, 0]]
    assert "no column of votes for sad: counted as no votes" in pack.notes
    assert "2 faces without any vote (1.png, 2.png)" in pack.notes


@pytest.mark.parametrize("box", ["inf,0,9,9", "0,-inf,9,9", "nan,0,9,9", "0,0,1e300,9", "0,0,9999999999,9", "0,0,9,x",
                                 "0,0,0.5,9", "0,0,,9"])
def test_a_box_that_is_none_is_refused_by_every_adapter_with_boxes(tmp_path: Path, box: str, refuse) -> None:
    rows = [f"{row},{box if number == 2 else '0,0,9,9'}" for number, row in enumerate(WHOLE)]
    line = line_of(f"csv:{table_of(tmp_path / 't', 'path,label,split,x,y,width,height', rows)}", tmp_path)
    assert f"t.csv:4: face box '{box}', expected x, y, width, height" in line
    root = fake.affectnet_tables(tmp_path / "aff")
    table = (root / "training.csv").read_text()
    (root / "training.csv").write_text(table.replace("5,6,20,30", box, 1))
    assert f"training.csv:2: face box '{box}'" in refuse("affectnet8", root)
    if ",," not in box:
        root = more.expw(tmp_path / "expw")
        lines = (root / "label/label.lst").read_text().splitlines()
        name, *_, sure, label = lines[0].split()
        fake.write(root / "label/label.lst", [f"{name} 0 {box.replace(',', ' ')} {sure} {label}", *lines[1:]])
        assert f"label.lst:1: face box '{box}', expected top, left, right, bottom" in refuse("expw", root)


def test_boxes_outside_and_over_the_edge(tmp_path: Path) -> None:
    header = "path,label,split,x1,y1,x2,y2"
    rows = [f"{row},{box}" for row, box in zip(WHOLE, ["0,0,9,9", "15,0,24,9", "-5,-5,4,4", "1,1,10,10"], strict=True)]
    pack = opened(f"csv:{table_of(tmp_path / 't', header, rows)}", tmp_path)
    assert any(note.startswith("2 images whose face's box reaches over the edge") and "1.png, 2.png" in note
               for note in pack.notes)
    for box, said in (("20,0,30,9", "box lies outside"), ("-9,-9,0,0", "box lies outside"),
                      ("0,0,100000,100000", "box has 100000x100000, more than")):
        table = table_of(tmp_path / "o", header, [*rows[:3], f"{WHOLE[3]},{box}"])
        line = line_of(f"csv:{table}", tmp_path)
        assert "1 of 4 images cannot be used: 3.png" in line and said in line


def test_names_of_columns(tmp_path: Path) -> None:
    rows = ["0.png,sad,train", "1.png,happy,train", "2.png,sad,test", "3.png,happy,test"]
    table = table_of(tmp_path / "t", "where,what,part", rows)
    assert "no column 'path' in its header" in line_of(f"csv:{table}", tmp_path)
    named = {"path": "where", "label": "what", "split": "part"}
    assert len(opened(f"csv:{table}", tmp_path, named).test) == 2
    assert "no column 'wat'" in line_of(f"csv:{table}", tmp_path, named | {"label": "wat"})
    alone = table_of(tmp_path / "a", "path,label", [row.rpartition(",")[0] for row in rows])
    pack = opened(f"csv:{alone}", tmp_path)
    assert set(pack.splits) == {"train"} and any("no split: all are training faces" in note for note in pack.notes)


def test_a_class_that_is_never_tested_is_said(tmp_path: Path) -> None:
    rows = ["0.png,sad,train", "1.png,happy,train", "2.png,sad,test"]
    notes = opened(f"csv:{table_of(tmp_path / 't', 'path,label,split', rows)}", tmp_path).notes
    assert "no test face of happy" in notes
    unseen = ["0.png,sad,train", "1.png,sad,train", "2.png,happy,test"]
    table = table_of(tmp_path / "u", "path,label,split", unseen)
    assert "no training face of happy" in line_of(f"csv:{table}", tmp_path)


def test_numbers_keep_their_order(tmp_path: Path) -> None:
    table = fake.csv_file(tmp_path / "mine", ("10", "9", "2"))
    pack = opened(f"csv:{table}", tmp_path)
    assert pack.classes == ("2", "9", "10") and np.bincount(pack.train.labels).tolist() == [1, 1, 2]
