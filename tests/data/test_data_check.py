"""What `data check` finds: counts, identical faces, black images, differences from the official counts."""

from __future__ import annotations

from pathlib import Path

import fakedata as fake
import numpy as np

from fer_bench.data.catalog import ask
from fer_bench.data.check import Repeats, check, report
from fer_bench.data.official import PER_CLASS, TOTALS, check_counts
from fer_bench.data.opening import open_dataset
from fer_bench.data.pack import Pack, Split, make_pack


def tiny(name: str = "faces") -> Pack:
    """Train: faces 1, 1, 2, 3 and a black one; test: faces 1, 2, 4 and a black one."""
    def split(values: list[int], labels: list[int]) -> Split:
        pixels = np.array(values, np.uint8)[:, None, None] * np.ones((2, 2), np.uint8)
        return Split(pixels, np.array(labels), tuple(f"{i}" for i in range(len(values))))
    return make_pack(name, ("a", "b"), {"train": split([1, 1, 2, 3, 0], [0, 1, 0, 0, 0]),
                                        "test": split([1, 2, 4, 0], [1, 0, 0, 0])}, ("a note",))


def test_check() -> None:
    found = check(tiny())
    assert found.counts == {"train": [4, 1], "test": [3, 1]} and found.imbalance == 4
    assert found.black == {"train": 1, "test": 1}
    assert found.repeats == [Repeats("train", "train", 1, 1), Repeats("test", "test", 0, 0),
                             Repeats("train", "test", 2, 1)]


def test_report_in_memory() -> None:
    text = report(tiny())
    assert "imbalance factor of the training set (largest / smallest class): 4.00" in text
    assert "test, also in train" in text and "note: a note" in text and "cached" not in text
    assert "all-black images: train 1, test 1" in text


def test_report_of_a_cached_pack_says_where(tmp_path: Path) -> None:
    pack = open_dataset(ask("ferplus8", fake.ferplus(tmp_path / "fp")), tmp_path / "cache")
    assert f"cached in {tmp_path / 'cache'}" in report(pack).splitlines()[-1]


def test_official_counts_agree_with_each_other() -> None:
    assert TOTALS["rafdb"] == {"train": 12271, "test": 3068}
    assert TOTALS["ferplus8"] == {"train": 25060, "valid": 3199, "test": 3153}
    assert TOTALS["ferplus7"] == {"train": 24941, "valid": 3186, "test": 3137}
    assert TOTALS["affectnet8"] == {"train": 287651, "test": 4000}
    assert TOTALS["affectnet7"] == {"train": 283901, "test": 3500}
    assert len(PER_CLASS["ferplus7"]["test"]) == 7


def test_differences_from_official_counts_carry_both_numbers(tmp_path: Path) -> None:
    pack = open_dataset(ask("rafdb", fake.rafdb(tmp_path / "raf")), tmp_path / "cache")
    lines = check_counts(pack)
    assert lines[0] == "train: 14 images, officially 12271"
    assert "surprise 2 (officially 1290)" in lines[1]
    assert set(lines) <= set(pack.notes)
    assert check_counts(tiny()) == []
