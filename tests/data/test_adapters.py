"""Every published layout of RAF-DB, FERPlus, FER2013 and AffectNet: the same pack from each; label rules."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import fakedata as fake
import moredata as more
import numpy as np
import pytest
from moredata import expect

from fer_bench.data.adapters import ferplus

RAF_NAMES = ("Surprise", "fearful", "Disgust", "Happy", "sad", "Anger", "neutral")
FERPLUS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")


# RAF-DB

RAF_LAYOUTS = {
    "aligned, EmoLabel": partial(more.raf_aligned, list_place="EmoLabel"),
    "aligned, list in root": partial(more.raf_aligned, list_place=""),
    "aligned, two lists": partial(more.raf_aligned, list_place="EmoLabel/two"),
    "aligned, two lists in root": partial(more.raf_aligned, list_place="two"),
    "train, test": more.raf_folders,
    "train, valid": partial(more.raf_folders, test="valid"),
    "Kaggle": more.raf_kaggle,
    "names": partial(more.raf_folders, names=("surprise", *RAF_NAMES[1:])),
    "names, val": partial(more.raf_folders, test="val", names=more.RAF),
}


@pytest.mark.parametrize("layout", RAF_LAYOUTS)
@pytest.mark.parametrize("as_zip", [False, True])
def test_rafdb_layouts_give_one_pack(tmp_path: Path, read, layout: str, as_zip: bool) -> None:
    root = RAF_LAYOUTS[layout](tmp_path / "raf")
    pack = read("rafdb", fake.zipped(root) if as_zip else root)
    assert pack.fingerprint == read("rafdb", fake.rafdb(tmp_path / "reference")).fingerprint
    assert pack.test.ids[0] == "test_0001.jpg" and set(pack.splits) == {"train", "test"}
    taken = [note for note in pack.notes if "is taken as RAF-DB's test set" in note]
    assert len(taken) == (layout in ("train, valid", "names, val"))


def test_rafdb_with_both_folders_keeps_valid_apart(tmp_path: Path, read) -> None:
    root = more.raf_folders(tmp_path / "raf")
    for label in range(1, 8):
        fake.image(root / f"valid/{label}/train_{90000 + label}_aligned.jpg", 900 + label)
    pack = read("rafdb", root)
    assert pack.splits["valid"].ids[0] == "train_90001.jpg" and pack.test.ids[0] == "test_0001.jpg"


@pytest.mark.parametrize("test", ["test", "valid"])
def test_dacl_s_folders_are_named_with_their_counts(tmp_path: Path, read, refuse, test: str) -> None:
    root = tmp_path / "raf"
    for split in ("train", test):
        for number in range(7):
            for take in range(number + 1):
                fake.image(root / f"{split}/0{number}/{split}_0000{number}{take}_aligned.jpg", 10 * number + take)
    expect(refuse("rafdb", root), "folders 00 to 06", "DACL", "rename each to its expression", "00 1, 01 2, 02 3",
           "neutral 2524")
    for number, name in enumerate(("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger")):
        for split in ("train", test):
            (root / f"{split}/0{number}").rename(root / f"{split}/{name}")
    assert np.bincount(read("rafdb", root).train.labels).tolist() == [4, 5, 6, 2, 3, 7, 1]


def test_rafdb_training_images_are_no_test_set(tmp_path: Path, refuse) -> None:
    root = more.raf_folders(tmp_path / "raf", test="valid")
    fake.image(root / "valid/3/train_90001_aligned.jpg", 900)
    expect(refuse("rafdb", root), "raf/valid", "1 training images (train_90001.jpg)", "test/")


@pytest.mark.parametrize(("make", "file", "taken"), [
    (fake.rafdb, "EmoLabel/train_label.txt", "EmoLabel/list_patition_label.txt"),
    (partial(fake.rafdb, two_lists=True), "list_patition_label.txt", "train_label.txt and EmoLabel/test_label.txt"),
    (more.raf_kaggle, "train_labels.csv", "the folders"),
])
def test_rafdb_lists_that_contradict_are_named(tmp_path: Path, read, make, file: str, taken: str) -> None:
    root = make(tmp_path / "raf")
    lines = [f"{name} {label % 7 + 1 if number < 2 else label}" for number, (name, label) in
             enumerate(fake.raf_rows()[:14])]
    fake.write(root / file, [line.replace(" ", ",") for line in lines] if file.endswith("csv") else lines)
    notes = [note for note in read("rafdb", root).notes if "another label" in note]
    assert len(notes) == 1
    expect(notes[0], f"{file} gives 2 faces", "(train_00001.jpg, train_00002.jpg)", taken)


@pytest.mark.parametrize("deep", ["", "compound"])
def test_rafdb_compound(tmp_path: Path, read, deep: str) -> None:
    root = more.raf_compound(tmp_path / "raf")
    fake.rafdb(root / "basic")
    pack = read("rafdb-compound", root / deep)
    assert pack.classes[0] == "happily surprised" and pack.classes[10] == "disgustedly surprised"
    assert pack.train.labels.tolist() == list(range(11)) * 2 and pack.test.labels.tolist() == list(range(11))
    assert pack.train.ids[21] == "train_0022.jpg"
    assert "train: 22 images, officially 3162" in pack.notes
    assert read("rafdb", root).fingerprint == read("rafdb", fake.rafdb(tmp_path / "reference")).fingerprint


def test_rafdb_compound_and_basic_are_told_apart(tmp_path: Path, refuse) -> None:
    expect(refuse("rafdb-compound", fake.rafdb(tmp_path / "raf")), "the list of RAF-DB basic", "--dataset rafdb")
    root = more.raf_compound(tmp_path / "both")
    expect(refuse("rafdb", root), "list_patition_label.txt:8", "'8'", "1..7", "--dataset rafdb-compound")


# FERPlus and FER2013

VOTES = [  # votes; labels for 8 and for 7 classes by argmax10, argmax10-noties, argmax8, argmax8-noties
    ([6, 4, 0, 0, 0, 0, 0, 0, 0, 0], (0, 0), (0, 0), (0, 0), (0, 0)),
    ([0, 5, 5, 0, 0, 0, 0, 0, 0, 0], (1, 1), (-1, -1), (1, 1), (-1, -1)),
    ([0, 0, 3, 0, 0, 0, 0, 0, 7, 0], (-1, -1), (-1, -1), (2, 2), (2, 2)),  # unknown wins
    ([0, 0, 0, 4, 0, 0, 0, 0, 4, 2], (3, 3), (-1, -1), (3, 3), (3, 3)),  # a tie with unknown
    ([0, 1, 0, 0, 0, 0, 0, 5, 2, 2], (7, -1), (7, -1), (7, -1), (7, -1)),  # contempt
    ([0, 0, 0, 0, 0, 0, 0, 0, 0, 10], (-1, -1), (-1, -1), (-1, -1), (-1, -1)),  # no face
    ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0], (-1, -1), (-1, -1), (-1, -1), (-1, -1)),
]


@pytest.mark.parametrize(("votes", "ten", "ten_clear", "eight", "eight_clear"), VOTES)
def test_label_rules(votes: list[int], ten, ten_clear, eight, eight_clear) -> None:
    for rule, expected in (("argmax10", ten), ("argmax10-noties", ten_clear), ("argmax8", eight),
                           ("argmax8-noties", eight_clear)):
        found = tuple(int(ferplus.labels_by(rule, np.array([votes]), classes)[0]) for classes in (8, 7))
        assert found == expected, rule
    assert ferplus.labels_by("majority", np.array([votes]), 8) == ferplus.majority(np.array([votes]), 8)


@pytest.mark.parametrize(("name", "rule", "kept"), [
    ("ferplus8", "majority", 24), ("ferplus8", "argmax10", 27), ("ferplus8", "argmax10-noties", 24),
    ("ferplus7", "argmax8", 24), ("ferplus7", "argmax8-noties", 21), ("ferplus7", "nla", 30)])
def test_ferplus_by_a_rule(tmp_path: Path, read, name: str, rule: str, kept: int) -> None:
    pack = read(name, fake.ferplus(tmp_path / "fp"), labels=rule)
    assert pack.name == (name if rule == "majority" else f"{name} labels={rule}")
    assert sum(map(len, pack.splits.values())) == kept
    note = "all 30 faces, 6 of them without a vote" if rule == "nla" else f"{30 - kept} of 30 faces left out"
    assert sum(note in line for line in pack.notes) == 1
    if rule == "nla":
        assert pack.train.ids[8] == "row00008" and pack.train.labels[8] == 0


def test_the_official_rule_is_the_default(tmp_path: Path, read) -> None:
    root = fake.ferplus(tmp_path / "fp")
    pack = read("ferplus7", root, labels="majority")
    assert pack.name == "ferplus7" and pack.fingerprint == read("ferplus7", root).fingerprint
    assert "9 of 30 faces left out: no majority (official rule)" in pack.notes


def test_folders_of_ferplus_leave_out_rows_without_an_image(tmp_path: Path, read) -> None:
    root = fake.ferplus_folders(tmp_path / "fp", label_files=False)
    blank = ["Training,," + ",".join("7" if i == 0 else "0" for i in range(10))]
    fake.write(root / "fer2013new.csv", [*(root / "fer2013new.csv").read_text().splitlines(), *blank])
    assert len(read("ferplus7", root, labels="nla").train) == 9


def test_nla_has_seven_classes(tmp_path: Path, refuse) -> None:
    expect(refuse("ferplus8", fake.ferplus(tmp_path / "fp"), labels="nla"), "labels=nla", "--dataset ferplus7")
    expect(refuse("ferplus7", tmp_path / "fp", labels="argmax"), "labels=argmax", "argmax10")


def test_ferplus_class_folders(tmp_path: Path, read, refuse) -> None:
    names = ("neutral", "happy", "surprise", "Sadness", "anger", "disgust", "fear", "contempt")
    root = more.ferplus_classes(tmp_path / "fp", names)
    pack = read("ferplus8", root)
    assert pack.classes == FERPLUS and pack.train.labels.tolist() == list(range(8))
    assert pack.train.ids[1] == "fer0000001.png" and pack.train.votes is None
    seven = read("ferplus7", root)
    assert len(seven.train) == 7 and "train: 1 images of contempt left out" in seven.notes
    expect(refuse("ferplus7", root, labels="argmax8"), "no votes", "labels")
    bare = more.ferplus_classes(tmp_path / "bare", names[:7], ("train", "test"))
    assert set(read("ferplus7", bare).splits) == {"train", "test"}
    expect(refuse("ferplus8", bare), "bare/train", "contempt", "--dataset ferplus7")


def test_two_folders_of_one_class_are_refused(tmp_path: Path, refuse) -> None:
    root = more.ferplus_classes(tmp_path / "fp", FERPLUS)
    fake.image(root / "train/joyful/1.png", 1, (48, 48), "L")
    expect(refuse("ferplus8", root), "fp/train", "'happiness' and 'joyful'", "one folder")


def test_fer2013_folders_in_another_spelling(tmp_path: Path, read) -> None:
    plain = fake.class_folders(tmp_path / "a", ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"))
    other = fake.class_folders(tmp_path / "b", ("anger", "disgust", "fear", "happiness", "sadness", "surprise",
                                                "neutral"))
    one, two = read("fer2013", plain), read("fer2013", other)
    assert one.train.labels.tolist() == two.train.labels.tolist() == [i // 2 for i in range(14)]
    assert (one.test.images == two.test.images).all() and one.train.ids[0] == "train/angry/0.png"


# AffectNet

@pytest.mark.parametrize("prefix", ["", "/home/someone/AffectNet/", "../data/AffectNet/", "./"])
def test_affectnet_aligned_tables(tmp_path: Path, read, prefix: str) -> None:
    root = more.affectnet_tables(tmp_path / "aff", prefix)
    pack = read("affectnet7", root)
    assert pack.train.labels.tolist() == pack.test.labels.tolist() == list(range(7))
    assert pack.train.ids[3] == "align_crop/train/3.jpg"
    assert "test: 1 images of other expressions left out" in pack.notes
    assert read("affectnet7", fake.zipped(root)).fingerprint == pack.fingerprint


def test_affectnet_annotation_lists(tmp_path: Path, read, refuse) -> None:
    eight = more.affectnet_lists(tmp_path / "eight", 8)
    arrays = read("affectnet8", fake.affectnet_arrays(tmp_path / "arrays"))
    assert read("affectnet8", eight).fingerprint == arrays.fingerprint
    assert read("affectnet7", eight).train.ids == arrays.train.ids[:7]
    seven = more.affectnet_lists(tmp_path / "seven", 7)
    assert read("affectnet7", seven).fingerprint == read("affectnet7", eight).fingerprint
    more.replaced(seven / "train_set/train_annotations_7class.txt", "100.jpg 0", "100.jpg")
    expect(refuse("affectnet7", seven), "train_annotations_7class.txt:1", "a name and a label")


@pytest.mark.parametrize("make", [
    partial(more.affectnet_lists, classes=7),
    partial(more.affectnet_tables, prefix="", classes=7),
    partial(fake.class_folders, classes=tuple("0123456"), splits=("train", "val")),
])
def test_affectnet8_without_contempt_names_affectnet7(tmp_path: Path, read, refuse, make) -> None:
    root = make(tmp_path / "aff")
    expect(refuse("affectnet8", root), "no face of contempt", "--dataset affectnet7")
    assert len(read("affectnet7", root).classes) == 7
