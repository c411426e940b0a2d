"""The real FERPlus files: official counts, the original labels, identical faces. Skipped without them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from realdata import ferplus_root  # noqa: F401  (a fixture)

from fer_bench.data.adapters import ferplus
from fer_bench.data.archive import Source
from fer_bench.data.catalog import ask
from fer_bench.data.check import check
from fer_bench.data.official import PER_CLASS
from fer_bench.data.opening import open_dataset
from fer_bench.data.pack import Pack, Split, make_pack

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def packs(ferplus_root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pack]:  # noqa: F811
    cache = tmp_path_factory.mktemp("cache")
    return {name: open_dataset(ask(name, ferplus_root), cache) for name in ("ferplus7", "ferplus8")}


@pytest.mark.parametrize("name", ["ferplus7", "ferplus8"])
def test_official_counts(packs: dict[str, Pack], name: str) -> None:
    pack = packs[name]
    for split, expected in PER_CLASS.get(name, {}).items():
        assert tuple(np.bincount(pack.splits[split].labels).tolist()) == expected
    assert not any("officially" in note for note in pack.notes)
    assert "4 kept faces are all black; the official counts include them" in pack.notes


@pytest.mark.parametrize(("name", "share"), [("ferplus7", 0.3189), ("ferplus8", 0.3221)])
def test_a_third_of_the_original_labels_differs(packs: dict[str, Pack], name: str, share: float) -> None:
    train = packs[name].train
    original = train.columns["fer2013"]
    known = original >= 0
    assert int((~known).sum()) == 60
    assert (original[known] != train.labels[known]).mean() == pytest.approx(share, abs=5e-5)


def test_votes_agree_with_the_labels(packs: dict[str, Pack]) -> None:
    for split in packs["ferplus8"].splits.values():
        assert split.votes is not None and (split.votes.argmax(1) == split.labels).all()


@pytest.fixture(scope="module")
def table(ferplus_root: Path) -> ferplus.Table:  # noqa: F811
    return ferplus.votes_table(Source(ferplus_root))


SIZES = {  # rule and number of classes: faces of train, valid and test
    ("majority", 8): (25060, 3199, 3153), ("majority", 7): (24941, 3186, 3137),
    ("argmax10", 8): (28389, 3553, 3546), ("argmax10", 7): (28224, 3529, 3519),
    ("argmax10-noties", 8): (26940, 3396, 3376), ("argmax10-noties", 7): (26778, 3372, 3350),
    ("argmax8", 8): (28559, 3579, 3573), ("argmax8", 7): (28392, 3554, 3544),
    ("argmax8-noties", 8): (27193, 3436, 3414), ("argmax8-noties", 7): (27026, 3411, 3385),
    ("nla", 7): (28709, 3589, 3589),
}


@pytest.mark.parametrize(("rule", "classes"), SIZES)
def test_sizes_by_label_rule(table: ferplus.Table, rule: str, classes: int) -> None:
    labels, split_of = ferplus.labels_by(rule, table.votes, classes), np.array(table.splits)
    expected = SIZES[rule, classes]
    assert tuple(int((labels[split_of == split] >= 0).sum()) for split in ("train", "valid", "test")) == expected
    name = f"ferplus{classes}" if rule == "majority" else f"ferplus{classes} labels={rule}"
    for split, counts in PER_CLASS[name].items():
        assert np.bincount(labels[(split_of == split) & (labels >= 0)]).tolist() == list(counts)


def test_pack_of_nla(ferplus_root: Path, tmp_path: Path) -> None:  # noqa: F811
    pack = open_dataset(ask("ferplus7", ferplus_root, {"labels": "nla"}), tmp_path)
    assert {split: len(part) for split, part in pack.splits.items()} == {"train": 28709, "valid": 3589, "test": 3589}
    assert any("178 of them without a vote for any of the 7 classes" in note for note in pack.notes)
    assert not any("officially" in note for note in pack.notes)


def test_identical_faces(packs: dict[str, Pack]) -> None:
    found = check(packs["ferplus7"])
    faces = {(one.first, one.second): (one.faces, one.other_label) for one in found.repeats}
    assert faces["train", "train"] == (1064, 0)
    assert faces["train", "valid"] == (248, 0) and faces["train", "test"] == (257, 0)
    assert found.black == {"train": 3, "valid": 0, "test": 1}
    assert round(found.imbalance, 2) == 73.45


def test_near_identical_faces(packs: dict[str, Pack]) -> None:
    """Besides the 257 of above, 119 test faces are pictures that training has with other pixels."""
    found = check(packs["ferplus7"])
    near = {(one.first, one.second): (one.faces, one.other_label, one.alone) for one in found.copies.near}
    assert near["train", "test"] == (150, 11, 119) and near["train", "valid"] == (157, 16, 121)
    assert near["train", "train"] == (1114, 111, 842)
    assert len(found.copies.alike) == 605 and max(map(len, found.copies.alike)) == 24


def test_copies_before_the_majority_rule(ferplus_root: Path) -> None:  # noqa: F811
    """Of all rows of fer2013.csv, whatever their votes; those of one colour are no copies."""
    table = pd.read_csv(ferplus_root / "fer2013.csv")
    faces = np.stack([np.array(text.split(), np.uint8) for text in table["pixels"]]).reshape(-1, 48, 48)
    splits = {}
    for name, usage in (("train", "Training"), ("test", "PrivateTest")):
        rows = np.flatnonzero(table["Usage"] == usage)
        splits[name] = Split(faces[rows], table["emotion"].to_numpy()[rows].clip(0), tuple(map(str, rows)))
    found = check(make_pack("fer2013", tuple("abcdefg"), splits))
    assert {(one.first, one.second): one.faces for one in found.repeats}["train", "test"] == 288
