"""Class imbalance: the factor is reached, by the longest head that allows it, and as before where it was reached."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_bench.data.catalog import ask
from fer_bench.data.opening import open_dataset
from fer_bench.protocols import corrupt
from fer_bench.protocols.prepare import prepare
from fer_bench.protocols.protocol import load_protocol

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

RAFDB = np.array([1290, 281, 717, 4772, 1982, 705, 2524])  # surprise, fear, disgust, happy, sad, anger, neutral
# reference/nla.md section 4: happy, neutral, sad, surprise, disgust, anger, fear
RAFDB_TABLE = {20: (4772, 2524, 1758, 1067, 647, 393, 238), 50: (4772, 2486, 1295, 674, 351, 183, 95),
               100: (4772, 2214, 1028, 477, 221, 102, 47), 150: (4772, 2070, 898, 389, 169, 73, 31)}
RAFDB_ORDER = [3, 6, 4, 0, 2, 5, 1]
FERPLUS = np.array([8740, 7287, 3149, 3014, 2100, 119, 532])  # docs/datasets.md, seven classes; its own factor is 73

sizes = st.lists(st.integers(1, 400), min_size=2, max_size=8).map(np.array)
factors = st.one_of(st.integers(1, 300), st.floats(1, 300))
profiles = st.sampled_from(["exponential", "step"])
seeds = st.integers(0, 1000)


def wanted(classes: int, profile: str, factor: float, head: int) -> list[int]:
    """What a profile asks of each class, largest first, written out."""
    if profile == "step":
        return [head if place < classes / 2 else math.floor(head / factor + 1e-9) for place in range(classes)]
    return [math.floor(head * factor ** (-place / (classes - 1)) + 1e-9) for place in range(classes)]


def fitting_heads(counts: np.ndarray, profile: str, factor: float) -> list[int]:
    """Every head from 1 for which each class has its share; by trying them all."""
    there = sorted(counts.tolist(), reverse=True)
    return [head for head in range(1, there[0] + 1)
            if all(share <= have for share, have in zip(wanted(len(there), profile, factor, head), there, strict=True))]


def reached_from_the_full_head(counts: np.ndarray, profile: str, factor: float) -> bool:
    return wanted(len(counts), profile, factor, int(counts.max()))[-1] <= counts.min()


@given(sizes, factors, profiles)
def test_nothing_changes_where_the_factor_was_reached(counts, factor, profile):
    """The former rule: the profile of the largest class as it is, capped by what there is."""
    order = sorted(range(len(counts)), key=lambda label: (-counts[label], label))
    shares = wanted(len(counts), profile, factor, int(counts.max()))
    before = np.zeros_like(counts)
    for place, label in enumerate(order):
        before[label] = min(counts[label], shares[place])
    kept = corrupt.imbalance_counts(counts, profile, factor)
    assert (kept == before).all() == reached_from_the_full_head(counts, profile, factor)


@given(sizes, factors, profiles)
def test_elsewhere_every_class_has_its_share_of_factor_times_the_largest_tail_that_fits(counts, factor, profile):
    if reached_from_the_full_head(counts, profile, factor):
        return
    longest = max(fitting_heads(counts, profile, factor), default=0)
    tail = math.floor(longest / factor + 1e-9)
    head = math.ceil(factor * tail - 1e-9) or longest
    kept = corrupt.imbalance_counts(counts, profile, factor)
    assert corrupt.imbalance_head(counts, profile, factor) == head == kept.max() < counts.max()
    assert sorted(kept.tolist(), reverse=True) == wanted(len(counts), profile, factor, head)
    assert (kept <= counts).all()


@given(sizes, factors, profiles)
def test_largest_over_smallest_is_the_factor_as_near_as_whole_faces_allow(counts, factor, profile):
    kept = corrupt.imbalance_counts(counts, profile, factor)
    if kept.min():
        assert kept.min() == math.floor(kept.max() / factor + 1e-9)
        if not reached_from_the_full_head(counts, profile, factor):
            assert 0 <= kept.max() - factor * kept.min() + 1e-6 < 1 + 1e-6


@given(sizes, factors, profiles)
def test_a_set_more_skewed_than_the_factor_is_cut(counts, factor, profile):
    kept = corrupt.imbalance_counts(counts, profile, factor)
    if counts.max() / factor >= counts.min() + 1:
        assert kept.sum() < counts.sum()


@given(st.lists(st.integers(0, 40), min_size=2, max_size=6).map(np.array), profiles)
def test_the_factors_told_are_those_that_leave_every_class_a_face(counts, profile):
    told = {factor for first, last in corrupt.reachable_factors(counts, profile) for factor in range(first, last + 1)}
    assert told == {factor for factor in range(1, 45) if corrupt.imbalance_counts(counts, profile, factor).all()}


def test_a_hollow_middle_makes_two_ranges():
    assert corrupt.reachable_factors(np.array([1000, 3, 2, 1]), "exponential") == [(1, 7), (501, 1000)]


@st.composite
def samples(draw: st.DrawFn) -> tuple[list[str], np.ndarray, int]:
    """Ids, labels and the number of classes of a made dataset."""
    classes = draw(st.integers(2, 8))
    labels = draw(st.lists(st.integers(0, classes - 1), min_size=1, max_size=120))
    return [f"face{i}" for i in range(len(labels))], np.array(labels, dtype=np.int64), classes


@given(samples(), st.floats(1, 200), seeds, st.randoms(use_true_random=False))
def test_imbalance_does_not_depend_on_order(sample, factor, seed, random):
    ids, labels, classes = sample
    order = random.sample(range(len(ids)), len(ids))
    rows = corrupt.imbalanced_rows(ids, labels, classes, "exponential", factor, seed)
    shuffled = corrupt.imbalanced_rows([ids[i] for i in order], labels[order], classes, "exponential", factor, seed)
    assert {ids[r] for r in rows} == {ids[order[r]] for r in shuffled}


@given(samples(), st.floats(1, 200), profiles, seeds)
def test_imbalance_keeps_as_many_as_it_says(sample, factor, profile, seed):
    ids, labels, classes = sample
    rows = corrupt.imbalanced_rows(ids, labels, classes, profile, factor, seed)
    kept = corrupt.imbalance_counts(np.bincount(labels, minlength=classes), profile, factor)
    assert (np.bincount(labels[rows], minlength=classes) == kept).all() and (np.diff(rows) > 0).all()


@given(samples(), st.floats(1, 200), st.floats(1, 200), profiles, seeds)
def test_a_larger_factor_keeps_a_subset_as_long_as_no_head_is_shrunk(sample, one, other, profile, seed):
    ids, labels, classes = sample
    counts = np.bincount(labels, minlength=classes)
    low, high = (set(corrupt.imbalanced_rows(ids, labels, classes, profile, f, seed)) for f in sorted((one, other)))
    for label in range(classes):  # of one class the fewer are always among the more
        first, second = ({row for row in rows if labels[row] == label} for rows in (low, high))
        assert first <= second or second <= first
    if reached_from_the_full_head(counts, profile, min(one, other)):
        assert high <= low


@pytest.mark.parametrize("factor", RAFDB_TABLE)
def test_exponential_profile_on_rafdb(factor):
    """At 20 the second class has 2,524 of the 2,896 that the profile asks of it, and keeps them: the tail decides."""
    assert tuple(corrupt.imbalance_counts(RAFDB, "exponential", factor)[RAFDB_ORDER]) == RAFDB_TABLE[factor]


@pytest.mark.parametrize(("factor", "counts"), [
    (20, (2380, 1444, 876, 532, 323, 119, 196)), (50, (5950, 3099, 1615, 841, 438, 119, 228)),
    (100, (8740, 4056, 1882, 874, 405, 87, 188)), (150, (8740, 3791, 1644, 713, 309, 58, 134))])
def test_exponential_profile_on_ferplus_where_20_and_50_gave_73_before(factor, counts):
    assert tuple(corrupt.imbalance_counts(FERPLUS, "exponential", factor)) == counts


def test_exponential_profile_of_equal_classes_is_ldam_s():
    kept = corrupt.imbalance_counts(np.full(10, 5000), "exponential", 100)
    assert kept.tolist() == [int(5000 * 0.01 ** (i / 9)) for i in range(10)]


def test_step_profile_cuts_the_rarer_half():
    assert corrupt.imbalance_counts(np.array([100, 90, 80, 70]), "step", 10).tolist() == [100, 90, 10, 10]
    assert corrupt.imbalance_counts(np.array([100, 90, 80, 5]), "step", 10).tolist() == [50, 50, 5, 5]


def test_factor_one_makes_classes_equal():
    assert corrupt.imbalance_counts(RAFDB, "exponential", 1).tolist() == [281] * 7


# Which of the embedded faces each protocol keeps under seeds 0, 1 and 2, and their labels: drawn before heads shrank.
EMBEDDED = {"imb20": ("1453c17565789339", "c155edb6b2c83f41", "4448c3d2390c3023"),
            "imb50": ("d322a68000397152", "81dacfd9fd3168e1", "f4641d70ef31eeee"),
            "imb100": ("e95d80d97fd6b4f3", "d8b17ee4340dc135", "36ab7b10f05a7135"),
            "imb150": ("2bb5af8d828d6c85", "fa9a4e1ba31bd1f1", "0323185f7babb7b1"),
            "noise30-imb50": ("0a7fc1b4692ee79e", "09ff9f7ea453c92d", "6509cd54c9305452")}


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_embedded_faces_are_drawn_as_ever(name):
    pack = open_dataset(ask("synthetic"), Path("no-cache"))
    for seed, digest in enumerate(EMBEDDED[name]):
        data = prepare(pack, load_protocol(name), seed)
        lines = "\n".join(f"{face} {label}" for face, label in zip(data.train.ids, data.train.given, strict=True))
        assert hashlib.sha256(lines.encode()).hexdigest()[:16] == digest and data.head is None
