"""What `data check` finds: counts, copies and near copies, faces of one colour, votes, differences from the official
counts."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import fakedata as fake
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyfolder import call, refused

from fer_bench.data.agreement import ambiguity, bands, top_share
from fer_bench.data.catalog import ask
from fer_bench.data.check import check
from fer_bench.data.check_text import report
from fer_bench.data.copies import Near, Repeats, find_copies
from fer_bench.data.looks import Looks
from fer_bench.data.official import PER_CLASS, TOTALS, check_counts
from fer_bench.data.opening import open_dataset
from fer_bench.data.pack import Pack, Split, make_pack

SIDE = 32


def face(number: int, brightness: int = 0) -> np.ndarray:
    """A picture of its own for each number from 1; 0 is black, and below it lies one of that one colour."""
    if number <= 0:
        return np.full((SIDE, SIDE), -number, np.uint8)
    return np.random.default_rng(number).integers(20, 200, (SIDE, SIDE)).astype(np.uint8) + np.uint8(brightness)


def split_of(images: list[np.ndarray], labels: list[int], prefix: str = "", votes: np.ndarray | None = None) -> Split:
    return Split(np.stack(images), np.array(labels), tuple(f"{prefix}{i}" for i in range(len(labels))), votes)


def tiny(name: str = "faces") -> Pack:
    """Train: faces 1, 1, 2, 3 and a black one; test: faces 1, 2, 4 and a black one."""
    return make_pack(name, ("a", "b"), {
        "train": split_of([face(n) for n in (1, 1, 2, 3, 0)], [0, 1, 0, 0, 0]),
        "test": split_of([face(n) for n in (1, 2, 4, 0)], [1, 0, 0, 0])}, ("a note",))


def test_check() -> None:
    found = check(tiny())
    assert found.counts == {"train": [4, 1], "test": [3, 1]} and found.imbalance == 4
    assert found.black == {"train": 1, "test": 1} and not found.absent
    assert found.repeats == [Repeats("train", "train", 1, 1), Repeats("test", "test", 0, 0),
                             Repeats("train", "test", 2, 1)]
    assert [near.faces for near in found.copies.near] == [0, 0, 0]
    assert [group.tolist() for group in found.copies.same] == [[0, 1, 5], [2, 6]], "conflicts come first"


def test_near_copies_are_counted_apart_from_identical_ones() -> None:
    """Train: 1, 2, 2 brighter, 3. Test: 1 brighter (twice), 2, 4. Faces of one colour are nobody's copies."""
    found = check(make_pack("faces", ("a", "b", "c"), {
        "train": split_of([face(1), face(2), face(2, 9), face(3), face(-7), face(-7)], [0, 0, 1, 0, 0, 1]),
        "test": split_of([face(1, 5), face(1, 5), face(2), face(4), face(-9)], [0, 1, 0, 0, 1])}))
    assert found.repeats == [Repeats("train", "train", 0, 0), Repeats("test", "test", 1, 1),
                             Repeats("train", "test", 1, 0)]
    assert found.copies.near == [Near("train", "train", 2, 2, 2), Near("test", "test", 0, 0, 0),
                                 Near("train", "test", 3, 2, 2)]
    assert [group.tolist() for group in found.copies.alike] == [[0, 6, 7], [1, 2, 8]]
    assert found.absent == {"train": ["c"], "test": ["c"]}
    assert "no face in train of: c" in report(found)
    assert "faces of one colour, black or not: train 4 (a), train 5 (b), test 4 (b)" in report(found)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32))
def test_copies_are_those_of_the_definition(seed: int) -> None:
    """Random contents, hashes, labels and splits; counted face by face against ``find_copies``."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 40))
    content = rng.integers(0, 12, count)
    kinds = np.array([0, 0b11, 1 << 40, 0b11111 << 20, (1 << 60) - 1], np.uint64)
    of_content = kinds[rng.integers(0, len(kinds), 12)]
    hashes, labels, split = of_content[content], rng.integers(0, 3, count), rng.integers(0, 2, count)
    plain = np.isin(content, [3, 4])
    nothing = np.zeros(count)
    copies = find_copies(Looks(content, hashes, nothing, nothing, plain, plain), split, labels, ["train", "test"])

    def near(a: int, b: int) -> bool:
        return content[a] != content[b] and int(hashes[a] ^ hashes[b]).bit_count() <= 4

    used = np.flatnonzero(~plain).tolist()
    for number, (one, two) in enumerate([(0, 0), (1, 1), (0, 1)]):
        here = [b for b in used if split[b] == two]
        around = {b: [a for a in used if split[a] == one and near(a, b)] for b in here}
        twin = {b: [a for a in used if split[a] == one and a != b and content[a] == content[b]] for b in here}
        measured = copies.near[number]
        assert measured.faces == sum(map(bool, around.values()))
        assert measured.other_label == sum(any(labels[a] != labels[b] for a in around[b]) for b in here)
        assert measured.alone == sum(bool(around[b]) and not twin[b] for b in here)
        before = {b: [a for a in twin[b] if one != two or a < b] for b in here}
        assert copies.identical[number].faces == sum(map(bool, before.values()))
        assert copies.identical[number].other_label == sum(
            any(labels[a] != labels[b] for a in (before[b][:1] if one == two else before[b])) for b in here)
    together = {(a, b) for group in copies.same for a, b in product(group.tolist(), repeat=2) if a < b}
    assert together == {(a, b) for a, b in product(used, repeat=2) if a < b and content[a] == content[b]}
    alike = [set(group.tolist()) for group in copies.alike]
    assert all(any({a, b} <= group for group in alike) for a, b in product(used, repeat=2) if near(a, b))
    assert all(len(set(content[list(group)].tolist())) > 1 for group in alike) and sum(map(len, alike)) <= len(used)


def test_colour_and_brightness() -> None:
    grey = np.repeat(face(1)[:, :, None], 3, axis=2)
    red = grey.copy()
    red[..., 1:] = 0
    many = [np.roll(grey, n, axis=0) for n in range(30)]
    dark = grey // 16
    found = check(make_pack("faces", ("a", "b"), {"train": split_of([*many, red, dark], [0] * 30 + [1, 1])}))
    assert found.looks.colour.tolist() == [False] * 30 + [True, False]
    assert "RGB (31 of them without colour)" in report(found).splitlines()[0]
    assert found.looks.brightness[30] == pytest.approx(0.299 * face(1).mean(), rel=1e-5)
    assert found.looks.contrast[0] == pytest.approx(face(1).std(), rel=1e-5)
    assert found.outliers(found.looks.brightness).tolist() == [31, 30], "the farthest first"


def test_votes() -> None:
    votes = np.array([[10, 0, 0], [9, 1, 0], [8, 1, 1], [4, 5, 0], [0, 0, 0], [3, 3, 0], [2, 2, 2]], np.float32)
    assert bands(votes).tolist() == [0, 1, 1, 2, 3, 2, 2]
    assert top_share(votes)[3] == 5 / 9 and ambiguity(votes)[[0, 4]].tolist() == [0, -1]
    assert ambiguity(votes)[5:].tolist() == pytest.approx([np.log(2), np.log(3)])
    found = check(make_pack("faces", ("a", "b", "c"), {
        "train": split_of([face(n) for n in range(1, 8)], [0] * 6 + [1], votes=votes),
        "test": split_of([face(9)], [0])}))
    assert found.most_ambiguous(0, 2).tolist() == [5, 3] and found.most_ambiguous(2, 9).tolist() == []
    text = report(found)
    assert "labels that others got more votes than: 1" in text
    assert [line for line in text.splitlines() if line.startswith("  a: ")][0].startswith("  a: train 5 (a), train 3")
    assert "agreement" not in report(check(tiny()))


def test_report_in_memory() -> None:
    text = report(check(tiny()))
    assert "imbalance factor of the training set (largest / smallest class): 4.00" in text
    assert "test, also in train" in text and "note: a note" in text and "cached" not in text
    assert "all-black images: train 1, test 1" in text
    assert "byte-identical faces with several labels: 1 groups\n  train 0 (a), train 1 (b), test 0 (b)" in text


def test_names_from_files_are_not_obeyed() -> None:
    pack = make_pack("faces\x1b[2J", ("[red]a", "b\x1b]0;x\x07"), {
        "train": split_of([face(1), face(1), face(0)], [0, 1, 0], "\x1b[31m\u202e")}, ("\x1b[1mnote",))
    text = report(check(pack))
    assert "\x1b" not in text and "\u202e" not in text and "\x07" not in text
    assert "[red]a" in text and r"\x1b[31m\u202e0" in text and r"note: \x1b[1mnote" in text


def test_report_of_a_cached_pack_says_where(tmp_path: Path) -> None:
    pack = open_dataset(ask("ferplus8", fake.ferplus(tmp_path / "fp")), tmp_path / "cache")
    assert f"cached in {tmp_path / 'cache'}" in report(check(pack)).splitlines()[-1]


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
    text = report(check(pack))
    assert "2 (officially 1,290)" in text and "14 (officially 12,271)" in text


def test_the_command_says_what_it_cannot_do(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "--html FILE, which is not given" in refused(capsys, "data", "check", "--faces")
    assert "is a folder" in refused(capsys, "data", "check", "--html", str(tmp_path))
    (tmp_path / "file").write_text("")
    below = str(tmp_path / "file" / "page.html")
    assert call("data", "check", "--html", below) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"error: --html {below}: cannot be written (")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
