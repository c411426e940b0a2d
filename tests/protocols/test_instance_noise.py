"""Instance-dependent noise and one annotator's labels, against slow literal reimplementations; what they promise."""

from __future__ import annotations

import hashlib
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from test_corrupt import digest, made, rates, samples, seeds

from fer_bench.protocols.corrupt import symmetric_noise
from fer_bench.protocols.instance_noise import instance_noise, one_annotator

settings.load_profile("unhurried")


@st.composite
def scored(draw: st.DrawFn) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Ids, labels and probabilities [N, C] of few different values, so that many are equal."""
    ids, labels, classes = draw(samples())
    values = draw(st.lists(st.integers(0, 9), min_size=len(ids) * classes, max_size=len(ids) * classes))
    return ids, labels, np.array(values, dtype=np.float16).reshape(len(ids), classes) / np.float16(10)


@st.composite
def voted(draw: st.DrawFn) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Ids, labels and whole votes [N, C], some faces without any."""
    ids, labels, classes = draw(samples())
    votes = draw(st.lists(st.integers(0, 3), min_size=len(ids) * classes, max_size=len(ids) * classes))
    return ids, labels, np.array(votes, dtype=np.float32).reshape(len(ids), classes)


def literal_instance_noise(ids, labels, probabilities, rate) -> list[int]:
    """Face by face, with Python's own sort."""
    faces = []
    for name, label, row in zip(ids, labels.tolist(), probabilities.tolist(), strict=True):
        best, target = -1.0, -1
        for other, p in enumerate(row):
            if other != label and p > best:
                best, target = p, other
        faces.append((-best, name, target))
    chosen = sorted(faces)[: math.floor(rate * len(faces) + 0.5 + 1e-9)]
    new = {name: target for _, name, target in chosen}
    return [new.get(name, label) for name, label in zip(ids, labels.tolist(), strict=True)]


def literal_one_annotator(ids, labels, votes, seed) -> list[int]:
    """The votes of a face laid out in a row, and one of them taken by exact fractions."""
    found = []
    for name, label, row in zip(ids, labels.tolist(), votes.tolist(), strict=True):
        ballots = [label_ for label_, count in enumerate(row) for _ in range(int(count))]
        number = int(hashlib.blake2b(f"annotator|{seed}|{name}".encode(), digest_size=8).hexdigest(), 16)
        u = Fraction(number // 2048, 2**53)
        found.append(ballots[math.floor(u * len(ballots))] if ballots else label)
    return found


@given(scored(), rates)
def test_instance_noise_is_what_its_definition_says(sample, rate):
    ids, labels, probabilities = sample
    assert instance_noise(ids, labels, probabilities, rate).tolist() == literal_instance_noise(*sample, rate)


@given(scored(), rates)
def test_instance_noise_changes_exactly_the_rounded_share_and_the_most_confusable(sample, rate):
    ids, labels, probabilities = sample
    before = labels.copy(), probabilities.copy()
    noisy = instance_noise(ids, labels, probabilities, rate)
    changed = noisy != labels
    assert changed.sum() == math.floor(rate * len(ids) + 0.5 + 1e-9) and noisy.dtype == np.int64
    others = np.where(np.eye(probabilities.shape[1], dtype=bool)[labels], -1, probabilities).max(1)
    assert not changed.any() or changed.all() or others[changed].min() >= others[~changed].max()
    assert (labels == before[0]).all() and (probabilities == before[1]).all(), "its input was written into"


@given(scored(), rates, rates)
def test_smaller_instance_noise_is_contained_in_larger(sample, one, other):
    low, high = (instance_noise(*sample, rate) for rate in sorted((one, other)))
    changed = low != sample[1]
    assert (high[changed] == low[changed]).all()


@given(scored(), rates, st.randoms(use_true_random=False))
def test_instance_noise_does_not_depend_on_order(sample, rate, random):
    ids, labels, probabilities = sample
    order = random.sample(range(len(ids)), len(ids))
    shuffled = instance_noise([ids[i] for i in order], labels[order], probabilities[order], rate)
    assert (shuffled == instance_noise(*sample, rate)[order]).all()


@given(voted(), seeds)
def test_one_annotator_is_a_literal_draw(sample, seed):
    assert one_annotator(*sample, seed).tolist() == literal_one_annotator(*sample, seed)


@given(voted(), seeds, st.randoms(use_true_random=False))
def test_one_annotator_takes_a_class_that_was_voted_for_whatever_the_order(sample, seed, random):
    ids, labels, votes = sample
    drawn = one_annotator(*sample, seed)
    rated = votes.sum(1) > 0
    assert (votes[np.arange(len(ids)), drawn][rated] > 0).all() and (drawn[~rated] == labels[~rated]).all()
    order = random.sample(range(len(ids)), len(ids))
    assert (one_annotator([ids[i] for i in order], labels[order], votes[order], seed) == drawn[order]).all()


@settings(max_examples=5)
@given(st.integers(0, 4))
def test_votes_are_drawn_as_often_as_they_were_given(seed):
    ids, votes = [f"img_{i:05d}" for i in range(20000)], np.array([5.0, 0.0, 3.0, 2.0])
    drawn = one_annotator(ids, np.zeros(20000, np.int64), np.tile(votes, (20000, 1)), seed)
    counts = np.bincount(drawn, minlength=4)
    assert counts[1] == 0 and chisquare(counts[[0, 2, 3]], 20000 * votes[[0, 2, 3]] / 10).pvalue > 1e-3


def test_an_annotator_s_draw_has_nothing_to_do_with_that_of_noise():
    ids, labels = made(20000)
    votes = np.full((20000, 7), 1.0, np.float32)
    noisy, drawn = symmetric_noise(ids, labels, 7, 0.5, 0) != labels, one_annotator(ids, labels, votes, 0) != labels
    assert abs(np.corrcoef(noisy, drawn)[0, 1]) < 0.03
    assert (one_annotator(ids, labels, votes, 0) != one_annotator(ids, labels, votes, 1)).mean() > 0.8


GOLDEN = {"instance": "5aa4dd77e31d34c4", "annotator": "5cb4e364c9776edc"}


@pytest.mark.parametrize("kind", GOLDEN)
def test_the_draws_never_change(kind):
    ids, labels = made()
    table = np.array([[(7 * i + 3 * c * c + i * c) % 11 for c in range(7)] for i in range(1000)], dtype=np.float32)
    found = instance_noise(ids, labels, table / 11, 0.3) if kind == "instance" else one_annotator(ids, labels, table, 0)
    assert digest(found) == GOLDEN[kind]
