"""Classes by name: other spellings are found, unknown ones give the near match."""

from __future__ import annotations

import numpy as np
import pytest

from fer_bench.data.catalog import datasets
from fer_bench.data.expressions import EXPRESSION, SPELLINGS
from fer_bench.data.pack import Split, make_pack
from fer_bench.errors import UserError
from fer_bench.protocols.classes import class_index, keep_classes
from fer_bench.protocols.prepare import prepare
from fer_bench.protocols.protocol import Protocol, load_protocol


def pack(*classes: str):
    """Ten faces of each class."""
    labels = np.repeat(np.arange(len(classes)), 10)
    splits = {name: Split(np.zeros((len(labels), 2, 2), np.uint8), labels, tuple(f"{name}{i}" for i in labels + 1))
              for name in ("train", "test")}
    splits["train"] = Split(splits["train"].images, labels, tuple(f"face{i}" for i in range(len(labels))))
    return make_pack("made", classes, splits)


def refusal(act, *arguments) -> str:
    with pytest.raises(UserError) as refused:
        act(*arguments)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_the_catalog_s_own_names_are_the_words_of_the_table():
    named = {name for entry in datasets().values() if entry.name != "rafdb-compound" for name in entry.classes}
    assert named == set(SPELLINGS) and len(EXPRESSION) == sum(1 + len(others) for others in SPELLINGS.values())


SPELLED = [("surprised", "fearful", "disgusted", "happy", "sad", "angry", "neutral"),
           ("Surprise", "Fear", "Disgust", "Happy", "Sad", "Angry", "Neutral"),
           ("surprised", "afraid", "disgusted", "joy", "SAD", "anger", "neutral")]
OWN = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")


@pytest.mark.parametrize("classes", SPELLED)
def test_asym30_does_the_same_whatever_the_spelling(classes):
    data, own = (prepare(pack(*names), load_protocol("asym30"), 1) for names in (classes, OWN))
    assert (data.train.given == own.train.given).all() and data.classes == classes
    assert (data.train.given != data.train.true).sum() == 21  # 30 % of the 70 faces, all of which have a target


def test_the_name_itself_comes_before_another_spelling():
    assert class_index(pack("happy", "happiness"), "happiness") == 1


def test_two_classes_that_one_name_could_mean_are_refused():
    line = refusal(class_index, pack("happy", "joy", "sad"), "happiness")
    assert line == "dataset 'made' has happy and joy, which could both be class 'happiness': name one of them"


@pytest.mark.parametrize(("name", "near"), [("suprise", "did you mean surprise?"), ("hapy", "did you mean happy?"),
                                            ("contempt", "known: happy, surprise")])
def test_an_unknown_spelling_gives_the_near_match(name, near):
    assert refusal(class_index, pack("happy", "surprise"), name) == f"dataset 'made' has no class '{name}': {near}"


def kept(*names: str) -> Protocol:
    return Protocol.model_validate({"name": "mine", "title": "t", "classes": names})


def test_classes_are_kept_in_the_order_of_the_protocol_and_the_spelling_of_the_dataset():
    found = keep_classes(pack("Angry", "Happy", "Sad"), kept("sadness", "anger"))
    assert found.classes == ("Sad", "Angry") and np.bincount(found.train.labels).tolist() == [10, 10]


@pytest.mark.parametrize("names", [("happy", "happiness"), ("happy", "happy")])
def test_a_class_named_twice_is_refused(names):
    line = refusal(keep_classes, pack("happy", "sad"), kept(*names))
    assert f"protocol 'mine', classes: '{names[0]}' and '{names[1]}' are one class of dataset 'made'" in line


def test_two_confusions_of_one_class_are_refused():
    noise = {"kind": "confusion", "rate": 0.1, "confusion": {"happy": "sad", "happiness": "fear"}}
    line = refusal(prepare, pack("happy", "sad", "fear"), Protocol(name="mine", title="t", noise=noise), 0)
    assert "noise of kind confusion: 'happy' and 'happiness' are one class" in line
