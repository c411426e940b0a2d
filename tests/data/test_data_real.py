"""The real FERPlus files: official counts, the original labels, identical faces. Skipped without them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from realdata import ferplus_root  # noqa: F401  (a fixture)

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
