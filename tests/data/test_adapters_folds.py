"""ExpW, CK+48, JAFFE and SFEW: boxes cut out, subjects by name, folds; official counts of all datasets."""

from __future__ import annotations

from pathlib import Path

import fakedata as fake
import moredata as more
import numpy as np
import pytest
from moredata import expect
from PIL import Image

from fer_bench.data.catalog import datasets
from fer_bench.data.folds import Fold, fold_pack, whole_pack
from fer_bench.data.official import PER_CLASS, TOTALS
from fer_bench.errors import UserError

# ExpW

def test_expw_cuts_every_face_out(tmp_path: Path, read) -> None:
    root = more.expw(tmp_path / "expw")
    pack = read("expw", root)
    assert set(pack.splits) == {"train"} and pack.classes[:2] == ("anger", "disgust")
    assert pack.train.ids[:2] == ("photo_0.jpg#0", "photo_0.jpg#1")
    assert pack.train.labels.tolist() == [x for label in range(7) for x in (label, (label + 1) % 7)]
    with Image.open(root / "image/origin/photo_0.jpg") as whole:  # top 10, left 20, right 50, bottom 40
        face = whole.crop((20, 10, 50, 40)).resize((112, 112), Image.Resampling.BILINEAR)
    assert (pack.train.images[1] == np.asarray(face)).all()


@pytest.mark.parametrize(("old", "new", "parts"), [
    ("photo_0.jpg 0 2 3 23 22 91.5 0", "photo_0.jpg 0 2 3 23 22 91.5", ("label.lst:1", "top, left, right")),
    ("photo_0.jpg 0 2 3 23 22 91.5 0", "photo_0.jpg 0 2 3 23 22 91.5 7", ("label.lst:1", "'7'", "0..6")),
    ("photo_0.jpg 0 2 3 23", "photo_0.jpg 0 2 3 x", ("label.lst:1", "box '2,3,x,22'")),
    ("photo_0.jpg 0 2 3 23", "photo_0.jpg 0 2 3 3", ("label.lst:1", "box '2,3,3,22'")),
    ("photo_0.jpg 1", "photo_0.jpg 0", ("1 duplicated ids", "photo_0.jpg#0")),
    ("photo_0.jpg 0 2", "photo_9.jpg 0 2", ("1 of 14 images", "not there", "photo_9.jpg")),
])
def test_expw_bad_lines(tmp_path: Path, refuse, old: str, new: str, parts: tuple[str, ...]) -> None:
    root = more.expw(tmp_path / "expw")
    more.replaced(root / "label/label.lst", old, new)
    expect(refuse("expw", root), *parts)


def test_expw_lines_that_repeat(tmp_path: Path, read) -> None:
    root = more.expw(tmp_path / "expw")
    lines = (root / "label/label.lst").read_text().splitlines()
    fake.write(root / "label/label.lst", [*lines, lines[0]])
    pack = read("expw", root)
    assert len(pack.train) == 14 and "1 lines that repeat another are left out" in pack.notes


# CK+, JAFFE, SFEW

def test_ckplus(tmp_path: Path, read, refuse) -> None:
    root = more.ckplus(tmp_path / "CK+48")
    pack = read("ckplus", root)
    assert pack.classes == ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
    assert np.bincount(pack.train.labels).tolist() == [15, 15, 18, 15, 21, 15, 18] and set(pack.splits) == {"train"}
    assert pack.train.ids[0] == "S010_000_00000015.png" and pack.channels == 1
    subjects = pack.train.columns["subject"]
    assert subjects.dtype == np.int64 and subjects.tolist()[:6] == [0, 0, 0, 1, 1, 1] and subjects.max() == 6
    six = read("ckplus", root, contempt="no")
    assert six.name == "ckplus contempt=no" and "contempt" not in six.classes and len(six.train) == 102
    assert "15 images of contempt left out" in six.notes
    for image in (root / "contempt").iterdir():
        image.unlink()
    expect(refuse("ckplus", root), "CK+48/contempt", "--data-option contempt=no")
    assert read("ckplus", root, contempt="no").fingerprint == six.fingerprint


def test_ckplus_says_what_it_leaves_out_and_refuses_other_names(tmp_path: Path, read, refuse) -> None:
    root = more.ckplus(tmp_path / "ck")
    fake.image(root / "neutral/S010_001_00000001.png", 1, mode="L")
    assert "1 images of neutral left out" in read("ckplus", fake.zipped(root)).notes
    fake.image(root / "fear/face.png", 1, mode="L")
    expect(refuse("ckplus", root), "ck/fear/face.png", "S010_004_00000017.png")


def test_ckplus_own_release_has_the_faces_of_its_peak_frames(tmp_path: Path, read, refuse) -> None:
    folders, root = more.ckplus(tmp_path / "CK+48"), more.ckplus_sequences(tmp_path / "CK+")
    known, pack = read("ckplus", folders), read("ckplus", root)
    order = np.argsort(np.array(known.train.ids)), np.argsort(np.array(pack.train.ids))
    for one in ("labels", "images"):
        assert np.array_equal(getattr(known.train, one)[order[0]], getattr(pack.train, one)[order[1]])
    assert "1 sequences without a label left out" in pack.notes and sorted(pack.train.ids) == sorted(known.train.ids)
    assert "5 sequences of contempt left out" in read("ckplus", root, contempt="no").notes
    label = root / "Emotion/S010/000/S010_000_00000017_emotion.txt"
    for text in ("8.0000000e+00", "", "nan", "3.0e+01"):
        label.write_text(text)
        expect(refuse("ckplus", fake.zipped(root)), "S010_000_00000017_emotion.txt", "expected one number 0..7")


def test_jaffe(tmp_path: Path, read) -> None:
    root = more.jaffe(tmp_path / "jaffe")
    fake.image(root / "group.png", 1, mode="L")
    pack = read("jaffe", root)
    assert np.bincount(pack.train.labels).tolist() == [12] * 7 and set(pack.splits) == {"train"}
    names = [more.PEOPLE[subject] for subject in pack.train.columns["subject"]]
    assert names == [name[:2] for name in pack.train.ids]
    assert pack.classes[pack.train.labels[pack.train.ids.index("KA.AN1.39.tiff")]] == "anger"
    assert "1 images left out whose names are not JAFFE's (group.png)" in pack.notes
    fake.image(root / "NM.HA9.300.tiff", 5, mode="L")
    assert len(read("jaffe", root).train) == 85, "an image that was added is seen"


@pytest.mark.parametrize(("name", "make"), [("ckplus", more.ckplus), ("jaffe", more.jaffe), ("expw", more.expw)])
def test_sets_without_a_test_split_are_folded(tmp_path: Path, read, name: str, make) -> None:
    pack = read(name, make(tmp_path / name))
    assert not datasets()[name].test_set
    with pytest.raises(UserError, match=f"'{name}' has no test set of its own: add --folds 5"):
        whole_pack(pack)
    folds = 2 if name == "expw" else 5
    parts = [fold_pack(pack, Fold(number, folds), 0) for number in range(1, folds + 1)]
    assert sorted(face for part in parts for face in part.test.ids) == sorted(pack.train.ids)
    for part in parts:
        if name != "expw":
            assert not set(part.train.columns["subject"]) & set(part.test.columns["subject"])


@pytest.mark.parametrize(("splits", "found"), [
    (("Train", "Val"), {"train": "Train", "test": "Val"}),
    (("Train", "Val", "Test"), {"train": "Train", "valid": "Val", "test": "Test"})])
def test_sfew(tmp_path: Path, read, splits: tuple[str, ...], found: dict[str, str]) -> None:
    root = more.sfew(tmp_path / "sfew", splits)
    if "Test" not in splits:
        fake.image(root / "Test/unlabelled.png", 1)
    pack = read("sfew", root)
    assert {split: part.ids[0].partition("/")[0] for split, part in pack.splits.items()} == found
    assert pack.train.labels.tolist() == [i // 2 for i in range(14)] and pack.classes[4] == "neutral"
    assert any("Val is the test set" in note for note in pack.notes) == ("Test" not in splits)


# all

def test_official_counts_are_of_datasets_and_options_that_exist() -> None:
    known = datasets()
    for name in TOTALS:
        plain, _, option = name.partition(" ")
        key, _, value = option.partition("=")
        assert plain in known and (not option or value in known[plain].options[key][1:])
        classes = len(known[plain].classes) - (name == "ckplus contempt=no")
        assert all(len(counts) == classes for counts in PER_CLASS.get(name, {}).values())
        assert ("test" in TOTALS[name]) == known[plain].test_set
