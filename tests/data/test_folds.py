"""Folds: a function of ids and seed, stratified, whole subjects together; runs, records and tables over all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fer_bench.data.folds import SUBJECT, Fold, fold_of, fold_pack, whole_pack
from fer_bench.data.pack import Pack, Split, make_pack, take
from fer_bench.errors import UserError


def pack_of(count: int = 60, people: int = 0) -> Pack:
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 3
    columns = {SUBJECT: np.repeat(np.arange(people), count // people)} if people else {}
    split = Split(rng.integers(0, 256, (count, 4, 4), np.uint8), labels, tuple(f"face{i:03d}" for i in range(count)),
                  None, columns)
    return make_pack("faces", ("a", "b", "c"), {"train": split})


def test_every_face_is_tested_once_and_classes_are_even():
    pack = pack_of()
    packs = [fold_pack(pack, Fold(number, 5), 0) for number in range(1, 6)]
    assert sorted(name for p in packs for name in p.test.ids) == sorted(pack.train.ids)
    for p in packs:
        assert not set(p.train.ids) & set(p.test.ids) and len(p.train) + len(p.test) == len(pack.train)
        assert np.bincount(p.test.labels).tolist() == [4, 4, 4]


def test_a_fold_does_not_depend_on_the_order_of_the_faces():
    pack = pack_of(people=12)
    order = np.random.default_rng(1).permutation(len(pack.train))
    turned = replace(pack, splits={"train": take(pack.train, order)})
    assert (fold_of(turned, 4, 7) == fold_of(pack, 4, 7)[order]).all()
    assert (fold_of(pack, 4, 7) != fold_of(pack, 4, 8)).any()


def test_folds_are_those_that_were_drawn_first():
    """Of another release of the library that draws them, too."""
    assert fold_of(pack_of(15), 3, 0).tolist() == FIRST
    assert fold_of(pack_of(24, people=8), 2, 0).tolist() == FIRST_OF_PEOPLE


FIRST = [0, 2, 2, 2, 0, 2, 1, 0, 1, 1, 1, 1, 0, 2, 0]
FIRST_OF_PEOPLE = [0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1]


def test_nobody_is_trained_and_tested_on():
    pack = pack_of(people=12)
    for number in range(1, 5):
        made = fold_pack(pack, Fold(number, 4), 3)
        assert not set(made.train.columns[SUBJECT]) & set(made.test.columns[SUBJECT])


def test_what_cannot_be_folded_is_refused():
    with pytest.raises(UserError, match="add --folds 5"):
        whole_pack(pack_of())
    both = replace(pack_of(), splits={"train": pack_of().train, "test": pack_of().train})
    with pytest.raises(UserError, match="has an official test set; leave --folds out"):
        fold_pack(both, Fold(1, 5), 0)
    with pytest.raises(UserError, match="20 faces; take --folds 20"):
        fold_of(pack_of(), 30, 0)
    with pytest.raises(UserError, match="faces of 3 people; take --folds 3"):
        fold_of(pack_of(people=3), 5, 0)
