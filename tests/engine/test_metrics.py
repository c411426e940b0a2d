"""Metrics against scikit-learn, and the numbers of the diagnosis against loops."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn import metrics as sk

from fer_bench.engine.diagnosis import memorisation, weight_quality
from fer_bench.engine.metrics import calibration_error, confusion_matrix, evaluate

C = 7


def scores(seed: int, classes_in_labels: int = C, count: int = 200):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 2, (count, C)), rng.integers(0, classes_in_labels, count)


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


@pytest.mark.parametrize("present", [C, 4, 1], ids="{} classes occur".format)
@pytest.mark.parametrize("seed", range(3))
def test_metrics_are_those_of_scikit_learn(seed, present):
    """Averages are over the classes that occur."""
    logits, labels = scores(seed, present)
    found, predicted, occurring = evaluate(logits, labels), logits.argmax(1), np.unique(labels)
    assert found["overall"] == pytest.approx(sk.accuracy_score(labels, predicted))
    recall = sk.recall_score(labels, predicted, labels=occurring, average=None)
    assert found["mean"] == pytest.approx(recall.mean())
    assert found["macro_f1"] == pytest.approx(sk.f1_score(labels, predicted, labels=occurring, average="macro"))
    assert found["nll"] == pytest.approx(sk.log_loss(labels, softmax(logits), labels=range(C)))
    assert [r for r in found["recall"] if r is not None] == pytest.approx(list(recall))


def test_recall_of_an_absent_class_is_none():
    logits, labels = scores(0, 4)
    assert [r is None for r in evaluate(logits, labels)["recall"]] == [False] * 4 + [True] * 3


def test_class_that_is_never_predicted_has_f1_zero():
    logits = np.array([[2.0, 1.0], [2.0, 1.0], [2.0, 1.0]])
    assert evaluate(logits, np.array([0, 0, 1]))["macro_f1"] == pytest.approx((2 * 2 / 5 + 0) / 2)


def test_confusion_matrix_has_labels_in_rows():
    logits, labels = scores(1)
    predicted = logits.argmax(1)
    assert np.array_equal(confusion_matrix(labels, predicted, C), sk.confusion_matrix(labels, predicted))


def test_metrics_ignore_the_order_of_the_faces_and_a_shift_of_the_logits():
    logits, labels = scores(2)
    order = np.random.default_rng(0).permutation(len(labels))
    first, second = evaluate(logits, labels), evaluate(logits[order] + 500, labels[order])
    for name in ("overall", "mean", "macro_f1", "nll", "ece"):
        assert first[name] == pytest.approx(second[name])


def test_huge_logits_give_finite_numbers():
    found = evaluate(np.array([[1e4, 0.0], [1e4, 0.0]]), np.array([0, 1]))
    assert found["nll"] == pytest.approx(5e3) and found["ece"] == pytest.approx(0.5)


def literal_ece(probabilities: np.ndarray, labels: np.ndarray, bins: int) -> float:
    total = 0.0
    for b in range(bins):
        inside = [i for i, p in enumerate(probabilities) if b / bins <= p.max() < (b + 1) / bins
                  or (b == bins - 1 and p.max() == 1)]
        if inside:
            accuracy = np.mean([probabilities[i].argmax() == labels[i] for i in inside])
            confidence = np.mean([probabilities[i].max() for i in inside])
            total += len(inside) / len(labels) * abs(accuracy - confidence)
    return total


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_calibration_error_is_the_mean_gap_of_the_bins(bins):
    logits, labels = scores(3)
    assert calibration_error(softmax(logits), labels, bins) == pytest.approx(literal_ece(softmax(logits), labels, bins))


def test_sure_and_right_is_calibrated():
    assert calibration_error(np.eye(3), np.arange(3)) == 0


def test_memorised_and_corrected_are_shares_of_the_wrong_labels():
    predicted, given, true = np.array([1, 2, 3, 1]), np.array([1, 1, 1, 1]), np.array([0, 2, 2, 0])
    assert memorisation(predicted, given, true) == {"memorised": 0.5, "corrected": 0.25}


def test_without_wrong_labels_there_is_no_memorisation():
    none = np.zeros(0, dtype=np.int64)
    assert memorisation(none, none, none) == {}


def noisy(count: int = 60):
    rng = np.random.default_rng(4)
    true = rng.integers(0, C, count)
    given = np.where(rng.random(count) < 0.3, (true + 1) % C, true)
    weight = np.round(rng.normal(size=count) - (given != true), 1)  # rounded, so that there are ties
    votes = rng.multinomial(10, np.full(C, 1 / C), count).astype(np.float32)
    votes[:5] = 0  # nobody rated these
    return weight, given, true, votes


def test_weight_auroc_is_the_chance_that_a_wrong_label_weighs_less():
    weight, given, true, _ = noisy()
    pairs = list(itertools.product(weight[given != true], weight[given == true]))
    expected = sum((wrong < right) + (wrong == right) / 2 for wrong, right in pairs) / len(pairs)
    assert weight_quality(weight, given, true, None) == {"weight_auroc": pytest.approx(expected)}


def test_weight_ambiguity_is_the_rank_correlation_with_the_entropy_of_the_votes():
    weight, given, true, votes = noisy()
    rows = [i for i in range(len(weight)) if given[i] == true[i] and votes[i].sum() > 0]
    entropies = [-sum(v * math.log(v) for v in votes[i] / votes[i].sum() if v > 0) for i in rows]
    expected = np.corrcoef(rankdata(weight[rows]), rankdata(np.round(entropies, 6)))[0, 1]
    assert weight_quality(weight, given, true, votes)["weight_ambiguity"] == pytest.approx(expected, abs=5e-3)


def test_equal_weights_say_nothing():
    weight, given, true, votes = noisy()
    assert weight_quality(np.ones_like(weight), given, true, votes) == {"weight_auroc": 0.5}


def test_clean_labels_without_votes_have_no_weight_quality():
    weight, _, true, votes = noisy()
    assert weight_quality(weight, true, true, None) == {}
    assert weight_quality(weight, true, true, np.zeros_like(votes)) == {}
