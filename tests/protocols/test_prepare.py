"""What a protocol does to a dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fer_bench.data.catalog import ask
from fer_bench.data.opening import open_dataset
from fer_bench.data.pack import Split, make_pack
from fer_bench.errors import UserError
from fer_bench.protocols import corrupt
from fer_bench.protocols.prepare import prepare, trained_on
from fer_bench.protocols.protocol import Protocol, load_protocol

CLASSES = ("surprise", "fear", "happy")


def protocol(**content) -> Protocol:
    return Protocol.model_validate({"name": "mine", "title": "t", **content})


def pack(counts=(60, 30, 10), test: int = 5, drop: int | None = None, **train):
    """Faces with unique pixels; ids train_00001.jpg, ...; drop: a class without training faces."""
    labels = np.repeat(np.arange(len(counts)), counts)
    labels = labels[labels != drop]
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


@pytest.mark.parametrize(("counts", "factor", "reach"), [
    ((60, 30, 1), 100, "factors 1 to 60 can be reached"), ((300, 3, 1), 50, "factors 1 to 15 and 151 to 300 can be")])
def test_a_class_left_empty_is_named_with_the_factors_that_leave_none(counts, factor, reach):
    line = refusal(prepare, pack(counts), protocol(imbalance={"factor": factor}), 0)
    assert f"'mine' on 'made', imbalance factor {factor}: leaves no true training label of happy; {reach}" in line


def test_no_factor_can_be_reached_without_faces_of_a_class():
    made = pack((60, 30, 10), drop=2)
    line = refusal(prepare, made, protocol(imbalance={"factor": 2}), 0)
    assert "leaves no true training label of happy; it has none, name fewer 'classes'" in line


def test_a_head_that_was_shrunk_is_told():
    data = prepare(pack((60, 30, 2)), protocol(imbalance={"factor": 10}), 0)
    told = trained_on(data)
    assert data.head == 20 and told["counts"] == {"surprise": 20, "fear": 6, "happy": 2} and told["faces"] == 28
    assert told["imbalance_factor"] == 10 and "noise_list" not in told
    assert prepare(pack((60, 30, 10)), protocol(imbalance={"factor": 10}), 0).head is None


def test_what_a_run_is_trained_on_is_counted_without_the_faces_held_out():
    content = {"noise": {"kind": "symmetric", "rate": 0.3}, "imbalance": {"factor": 20}, "validation": 0.25}
    data = prepare(pack(), protocol(**content), 4)
    told, true = trained_on(data), data.train.true.tolist()
    assert told["faces"] == len(true) == sum(told["counts"].values())
    assert told["counts"] == {name: true.count(label) for label, name in enumerate(CLASSES)}
    wrong = sum(given != label for given, label in zip(data.train.given.tolist(), true, strict=True))
    assert told["noise_rate"] == wrong / len(true)
    assert told["imbalance_factor"] == max(told["counts"].values()) / min(told["counts"].values())


@pytest.mark.parametrize("name", ["imb20", "noise30", "noise30-imb50", "asym30"])
def test_a_protocol_with_a_seed_of_its_own_is_that_draw_whatever_the_run_s(name):
    made = open_dataset(ask("synthetic"), Path("no-cache"))
    plain = prepare(made, load_protocol(name), 256).train
    for seed in (0, 1):
        data = prepare(made, load_protocol(f"{name}_256"), seed).train
        assert data.ids == plain.ids and (data.given == plain.given).all()
    other = prepare(made, load_protocol(f"{name}_255"), 256).train
    assert other.ids != plain.ids or (other.given != plain.given).any()


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
