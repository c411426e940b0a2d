"""Label noise and draws: exact, nested, independent of order, and the same for ever. Imbalance: test_imbalance.py."""

from __future__ import annotations

import hashlib
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from fer_bench.protocols import corrupt

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

@st.composite
def samples(draw: st.DrawFn) -> tuple[list[str], np.ndarray, int]:
    """Ids, labels and the number of classes of a made dataset."""
    classes = draw(st.integers(2, 8))
    labels = draw(st.lists(st.integers(0, classes - 1), min_size=1, max_size=120))
    ids = draw(st.lists(st.text(min_size=1, max_size=8, alphabet=st.characters(codec="utf-8", exclude_characters="\0")),
                        min_size=len(labels), max_size=len(labels), unique=True))
    return ids, np.array(labels, dtype=np.int64), classes


rates = st.integers(0, 99).map(lambda percent: percent / 100)
seeds = st.integers(0, 1000)


def made(count: int = 1000, classes: int = 7) -> tuple[list[str], np.ndarray]:
    """Ids img_0000, ... with uneven labels."""
    labels = np.array([(i * i + i // 7) % classes if i % 3 else 0 for i in range(count)], dtype=np.int64)
    return [f"img_{i:04d}" for i in range(count)], labels


def digest(values: np.ndarray) -> str:
    return hashlib.sha256(values.astype("<i8").tobytes()).hexdigest()[:16]


@given(samples(), rates, seeds)
def test_symmetric_noise_changes_exactly_the_rounded_share(sample, rate, seed):
    ids, labels, classes = sample
    noisy = corrupt.symmetric_noise(ids, labels, classes, rate, seed)
    assert (noisy != labels).sum() == math.floor(rate * len(ids) + 0.5)


@given(samples(), rates, seeds)
def test_symmetric_noise_stays_in_the_classes(sample, rate, seed):
    ids, labels, classes = sample
    noisy = corrupt.symmetric_noise(ids, labels, classes, rate, seed)
    assert noisy.min() >= 0 and noisy.max() < classes and noisy.dtype == np.int64


@given(samples(), rates, seeds)
def test_noise_leaves_its_input_alone(sample, rate, seed):
    ids, labels, classes = sample
    before = labels.copy()
    corrupt.symmetric_noise(ids, labels, classes, rate, seed)
    assert (labels == before).all()


@given(samples(), rates, rates, seeds)
def test_smaller_noise_rates_are_contained_in_larger_ones(sample, one, other, seed):
    ids, labels, classes = sample
    low, high = (corrupt.symmetric_noise(ids, labels, classes, rate, seed) for rate in sorted((one, other)))
    flipped = low != labels
    assert (high[flipped] == low[flipped]).all()


@given(samples(), rates, seeds, st.randoms(use_true_random=False))
def test_symmetric_noise_does_not_depend_on_order(sample, rate, seed, random):
    ids, labels, classes = sample
    order = random.sample(range(len(ids)), len(ids))
    noisy = corrupt.symmetric_noise(ids, labels, classes, rate, seed)
    shuffled = corrupt.symmetric_noise([ids[i] for i in order], labels[order], classes, rate, seed)
    assert (shuffled == noisy[order]).all()


@given(samples(), rates, seeds, st.data())
def test_confusion_noise_counts_only_classes_with_a_target(sample, rate, seed, data):
    ids, labels, classes = sample
    target = np.array(data.draw(st.lists(st.integers(0, classes - 1), min_size=classes, max_size=classes)))
    noisy = corrupt.confusion_noise(ids, labels, target, rate, seed)
    changed, confusable = noisy != labels, (target[labels] != labels).sum()
    assert changed.sum() == math.floor(rate * confusable + 0.5)
    assert (noisy[changed] == target[labels[changed]]).all()


@given(samples(), rates, seeds)
def test_held_out_rows_are_exactly_the_rounded_share(sample, share, seed):
    rows = corrupt.held_out_rows(sample[0], share, seed)
    assert len(set(rows)) == len(rows) == math.floor(share * len(sample[0]) + 0.5)


@given(st.lists(st.text(max_size=6), max_size=20), st.integers(0, 99))
def test_uniform_numbers_are_blake2(ids, seed):
    literal = []
    for i in ids:
        text = b"noise|" + str(seed).encode() + b"|" + i.encode("utf-8")
        number = int(hashlib.blake2b(text, digest_size=8).hexdigest(), 16)
        literal.append(float(Fraction(number // 2048, 2**53)))
    assert corrupt.uniform("noise", seed, ids).tolist() == literal


def test_uniform_numbers_differ_by_purpose_and_seed():
    ids = ["a", "b"]
    numbers = {tuple(corrupt.uniform(p, s, ids)) for p in ("noise", "imbalance", "validation") for s in (0, 1)}
    assert len(numbers) == 6


@pytest.mark.parametrize(("value", "whole"), [(0.5, 1), (1.5, 2), (2.5, 3), (2.49, 2), (0.0, 0)])
def test_a_half_is_rounded_up(value, whole):
    assert corrupt.round_half_up(value) == whole


def test_equal_numbers_are_ordered_by_id():
    assert corrupt.smallest(np.zeros(4), ["d", "b", "a", "c"], 2).tolist() == [1, 2]


@settings(max_examples=5)
@given(st.integers(0, 4))
def test_new_labels_are_uniform_over_the_other_classes(seed):
    ids = [f"img_{i:05d}" for i in range(20000)]
    labels = np.zeros(len(ids), dtype=np.int64)
    noisy = corrupt.symmetric_noise(ids, labels, 7, 0.5, seed)
    assert chisquare(np.bincount(noisy, minlength=7)[1:]).pvalue > 1e-3


def test_flips_hit_every_class_alike():
    ids, _ = made(20000)
    labels = np.arange(20000) % 4
    flipped = corrupt.symmetric_noise(ids, labels, 4, 0.3, 1) != labels
    assert chisquare(np.bincount(labels[flipped])).pvalue > 1e-3


GOLDEN = {"symmetric": "bd509511ff17b14e", "confusion": "d9b9e2b592c54f7f",
          "imbalance": "aec963f2300743ca", "validation": "784797098bdc594b"}


def golden(kind: str) -> np.ndarray:
    ids, labels = made()
    if kind == "symmetric":
        return corrupt.symmetric_noise(ids, labels, 7, 0.3, 0)
    if kind == "confusion":
        return corrupt.confusion_noise(ids, labels, np.array([6, 0, 5, 6, 6, 2, 6]), 0.3, 0)
    if kind == "imbalance":
        return corrupt.imbalanced_rows(ids, labels, 7, "exponential", 50, 0)
    return corrupt.held_out_rows(ids, 0.1, 0)


@pytest.mark.parametrize("kind", GOLDEN)
def test_the_draws_never_change(kind):
    assert digest(golden(kind)) == GOLDEN[kind]
