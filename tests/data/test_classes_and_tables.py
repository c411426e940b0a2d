"""Classes that are one in several spellings, and tables of faces as people write them."""

from __future__ import annotations

from pathlib import Path

import fakedata as fake
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
    assert "t.csv:5" in line and "box is empty" in line


WHOLE = ["0.png,sad,train", "1.png,happy,train", "2.png,sad,test", "3.png,happy,test"]


def test_votes_a_second_label_and_subjects(tmp_path: Path) -> None:
    rows = ["0.png,sad,train,3,7,happy,Ann,x", "1.png,happy,train,9,1,,Bob,x", "2.png,sad,test,0,10,sad,Ann,x",
            "3.png,happy,test,10,0,happy,Cem,x"]
    header = "path,label,split,votes_happy,votes_sad,first,subject,rest"
    table = table_of(tmp_path / "t", header, rows)
    pack = opened(f"csv:{table}", tmp_path, {"column": "first"})
    assert pack.train.votes is not None and pack.train.votes.tolist() == [[3, 7], [9, 1]]
    assert pack.train.columns["first"].tolist() == [0, -1]
    assert len(set(pack.train.columns["subject"])) == 2
    assert any("left: rest" in note for note in pack.notes)
    wrong = table_of(tmp_path / "w", header.replace("votes_sad", "votes_mad"), rows)
    assert "'mad' is no class of its labels" in line_of(f"csv:{wrong}", tmp_path)


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
