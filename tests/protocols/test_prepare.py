"""What a protocol does to a dataset."""

from __future__ import annotations

import numpy as np
import pytest

from fer_bench.data.pack import Split, make_pack
from fer_bench.errors import UserError
from fer_bench.protocols import corrupt
from fer_bench.protocols.prepare import prepare, read_noise_list
from fer_bench.protocols.protocol import Protocol, load_protocol

CLASSES = ("surprise", "fear", "happy")


def protocol(**content) -> Protocol:
    return Protocol.model_validate({"name": "mine", "title": "t", **content})


def pack(counts=(60, 30, 10), test: int = 5, **train):
    """Faces with unique pixels; ids train_00001.jpg, ..."""
    labels = np.repeat(np.arange(len(counts)), counts)
    total = len(labels)

    def split(name, labels, first, **more):
        images = np.zeros((len(labels), 4, 4), np.uint8)
        images[:, 0, 0] = first + np.arange(len(labels))
        return Split(images, labels, tuple(f"{name}_{i:05d}.jpg" for i in range(1, len(labels) + 1)), **more)

    return make_pack("made", CLASSES[: len(counts)], {"train": split("train", labels, 0, **train),
                                                      "test": split("test", np.arange(test * 3) % 3, total)})


def refusal(load, *arguments) -> str:
    with pytest.raises(UserError) as refused:
        load(*arguments)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_clean_changes_nothing():
    made = pack()
    data = prepare(made, protocol(), 0)
    assert data.train.ids == made.train.ids and data.validation is None
    assert (data.train.given == made.train.labels).all()


def test_the_test_set_is_never_touched():
    made = pack()
    content = {"noise": {"kind": "symmetric", "rate": 0.4}, "imbalance": {"factor": 10}, "validation": 0.2}
    test = prepare(made, protocol(**content), 0).test
    assert test.ids == made.test.ids and (test.given == made.test.labels).all() and (test.true == test.given).all()


def test_imbalance_then_noise_then_validation():
    made, seed = pack(), 4
    content = {"noise": {"kind": "symmetric", "rate": 0.3}, "imbalance": {"factor": 20}, "validation": 0.25}
    data = prepare(made, protocol(**content), seed)
    rows = corrupt.imbalanced_rows(made.train.ids, made.train.labels, 3, "exponential", 20, seed)
    ids, labels = [made.train.ids[r] for r in rows], made.train.labels[rows]
    given = dict(zip(ids, corrupt.symmetric_noise(ids, labels, 3, 0.3, seed), strict=True))
    held = {ids[r] for r in corrupt.held_out_rows(ids, 0.25, seed)}
    assert set(data.validation.ids) == held and set(data.train.ids) == set(ids) - held
    for faces in (data.train, data.validation):
        assert faces.given.tolist() == [given[i] for i in faces.ids]


def test_validation_and_training_share_no_face():
    data = prepare(pack(), protocol(validation=0.3), 0)
    assert not set(data.train.ids) & set(data.validation.ids) and len(data.validation) == 30 and len(data.train) == 70


def test_votes_stay_with_their_faces():
    votes = np.arange(300, dtype=np.float32).reshape(100, 3)
    made = pack(votes=votes)
    data = prepare(made, protocol(validation=0.3, imbalance={"factor": 6}), 0)
    rows = [made.train.ids.index(i) for i in data.train.ids]
    assert (data.train.votes == votes[rows]).all() and (data.train.images == made.train.images[rows]).all()


def test_a_class_left_empty_is_named():
    line = refusal(prepare, pack((60, 30, 1)), protocol(imbalance={"factor": 100}), 0)
    assert "leaves no true training label of happy" in line and "'mine' on 'made'" in line


def test_confusion_noise_follows_the_names():
    content = {"kind": "confusion", "rate": 0.5, "confusion": {"surprise": "fear", "fear": "surprise"}}
    made = pack()
    train = prepare(made, protocol(noise=content), 0).train
    wrong = train.given != train.true
    assert wrong.sum() == 45 and (train.given[wrong] == 1 - train.true[wrong]).all()


def test_confusion_of_an_unknown_class_gives_the_near_match():
    content = {"kind": "confusion", "rate": 0.5, "confusion": {"suprise": "fear"}}
    assert "no class 'suprise': did you mean surprise?" in refusal(prepare, pack(), protocol(noise=content), 0)


COLUMN = {"kind": "column", "column": "other"}


def test_column_noise_takes_the_other_annotation_where_there_is_one():
    other = np.full(100, -1)
    other[:5] = 2
    train = prepare(pack(columns={"other": other}), protocol(noise=COLUMN), 0).train
    assert train.given[:5].tolist() == [2] * 5 and (train.given[5:] == train.true[5:]).all()


def test_column_noise_without_the_column_is_refused():
    line = refusal(prepare, pack(), load_protocol("fer2013-labels"), 0)
    assert "'made' has no second annotation 'fer2013'" in line and "ferplus7" in line


def test_classes_are_kept_and_renumbered_in_the_order_given():
    other = np.repeat([1, 0, 2], (60, 30, 10))
    made = pack(columns={"other": other})
    data = prepare(made, protocol(classes=["happy", "surprise"], noise=COLUMN), 0)
    assert data.classes == ("happy", "surprise") and np.bincount(data.train.true).tolist() == [10, 60]
    assert (data.train.given == data.train.true).all() and np.bincount(data.test.true).tolist() == [5, 5]


def test_an_unknown_class_gives_the_near_match():
    assert "no class 'hapy': did you mean happy?" in refusal(prepare, pack(), protocol(classes=["hapy", "fear"]), 0)


def test_duplicates_of_training_and_test_faces_are_dropped():
    made = pack()
    made.train.images[1], made.train.images[2] = made.train.images[0], made.test.images[0]
    ids = prepare(made, protocol(drop_duplicates=True), 0).train.ids
    assert ids == (made.train.ids[0], *made.train.ids[3:])


def listed(tmp_path, lines):
    path = tmp_path / "list.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


LIST = protocol(noise={"kind": "list", "file": "list.txt"})


def test_a_noise_list_gives_the_labels_and_its_test_rows_are_ignored(tmp_path):
    lines = [f"train_{i:05d}.jpg {i % 3 + 1}" for i in range(1, 101)] + [f"test_{i:05d}.jpg 1" for i in range(1, 16)]
    made = pack()
    data = prepare(made, LIST, 0, listed(tmp_path, lines))
    assert data.train.given.tolist() == [i % 3 for i in range(1, 101)]
    assert (data.test.given == made.test.labels).all()


def test_names_in_a_noise_list_may_have_folders_and_aligned(tmp_path):
    path = listed(tmp_path, ["Image/aligned/train_1_aligned.jpg 2", "", "x\\train_2.jpg 1 extra"])
    assert read_noise_list(path, 1, 3) == {"train_1.jpg": 1, "train_2.jpg": 0}


def test_a_list_from_zero_is_read_as_such(tmp_path):
    assert read_noise_list(listed(tmp_path, ["a 0", "b 2"]), 0, 3) == {"a": 0, "b": 2}


@pytest.mark.parametrize(("line", "expected"), [
    ("b 4", ":2: label 4 is outside 1..3"), ("b 0", "set 'base: 0'"), ("b", "expected 'name label'"),
    ("b x", "found 'b x'")])
def test_a_bad_line_of_a_noise_list_is_named(tmp_path, line, expected):
    assert expected in refusal(read_noise_list, listed(tmp_path, ["a 1", line]), 1, 3)


def test_faces_that_are_not_in_the_list_are_named(tmp_path):
    lines = [f"train_{i:05d}.jpg 1" for i in range(3, 101)]
    line = refusal(prepare, pack(), LIST, 0, listed(tmp_path, lines))
    assert "2 of 100 training faces are not in it, first train_00001.jpg, train_00002.jpg" in line


def test_a_noise_list_that_is_not_there_is_named(tmp_path):
    assert "absent.txt: cannot be read" in refusal(read_noise_list, tmp_path / "absent.txt", 1, 3)
