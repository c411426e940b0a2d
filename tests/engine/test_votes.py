"""Metrics against votes: a slow version written from their formulas, and values that can be told by hand."""

from __future__ import annotations

import json
from math import exp, log

import numpy as np
import pytest

from fer_bench.engine.metrics import calibration_error, evaluate
from fer_bench.engine.votes import vote_metrics


def slow(logits, votes):
    """Face by face, in plain Python."""
    nll, kl, bins, groups, none = [], [], {}, {"unanimous": [], "8-9 of 10": [], "below": []}, 0
    for row, cast in zip(logits.tolist(), votes.tolist(), strict=True):
        if sum(cast) == 0:
            none += 1
            continue
        total = sum(exp(z) for z in row)
        p, v = [exp(z) / total for z in row], [n / sum(cast) for n in cast]
        nll.append(-sum(a * log(b) for a, b in zip(v, p, strict=True)))
        kl.append(sum(a * log(a / b) for a, b in zip(v, p, strict=True) if a))
        k = p.index(max(p))
        bins.setdefault(min(14, int(15 * p[k])), []).append((v[k], p[k]))
        right = cast[k] == max(cast)
        name = "unanimous" if max(v) == 1 else "8-9 of 10" if max(v) >= 0.8 else "below"
        groups[name].append(right)
    count, gap = len(nll), 0.0
    for inside in bins.values():
        share, confidence = (sum(pair[i] for pair in inside) / len(inside) for i in (0, 1))
        gap += len(inside) / count * abs(share - confidence)
    by_agreement = {name: {"faces": len(hits), "accuracy": sum(hits) / len(hits) if hits else None}
                    for name, hits in groups.items()}
    return {"faces": count, "without_votes": none, "nll": sum(nll) / count, "kl": sum(kl) / count, "calibration": gap,
            "by_agreement": by_agreement}


def some(count: int = 300, classes: int = 7, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits float32 and ten votes or fewer for each face: unanimous, split, tied and none at all."""
    rng = np.random.default_rng(seed)
    chances = rng.dirichlet(np.full(classes, 0.15), count)
    votes = np.stack([rng.multinomial(rng.integers(0, 11), p) for p in chances]).astype(np.float32)
    return rng.normal(0, 2, (count, classes)).astype(np.float32) + 3 * chances.astype(np.float32), votes


def close(found, expected):
    assert found.pop("by_agreement") == expected.pop("by_agreement")
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_they_are_their_formulas(seed):
    logits, votes = some(seed=seed)
    expected = slow(logits, votes)
    assert expected["without_votes"] > 5 and all(g["faces"] > 20 for g in expected["by_agreement"].values())
    close(vote_metrics(logits, votes), expected)


def test_they_can_be_written_as_json():
    found = vote_metrics(*some())
    assert json.loads(json.dumps(found)) == found


def test_who_predicts_the_votes_has_no_divergence_and_is_calibrated():
    votes = np.array([[8, 2, 0], [6, 3, 1], [0, 10, 0], [1, 0, 9]], np.float32)
    with np.errstate(divide="ignore"):
        logits = np.maximum(np.log(votes.astype(float) / 10), -700)
    found = vote_metrics(logits, votes)
    assert found["kl"] == pytest.approx(0, abs=1e-12) and found["calibration"] == pytest.approx(0, abs=1e-12)
    assert found["nll"] == pytest.approx(-sum(n / 10 * log(n / 10) for n in (8, 2, 6, 3, 1, 1, 9)) / 4)
    assert found["by_agreement"] == {"unanimous": {"faces": 1, "accuracy": 1.0},
                                     "8-9 of 10": {"faces": 2, "accuracy": 1.0},
                                     "below": {"faces": 1, "accuracy": 1.0}}


def test_unanimous_votes_are_labels():
    rng = np.random.default_rng(4)
    logits, labels = rng.normal(0, 2, (200, 5)), rng.integers(0, 5, 200)
    found, usual = vote_metrics(logits, 10 * np.eye(5, dtype=np.float32)[labels]), evaluate(logits, labels)
    assert found["nll"] == pytest.approx(usual["nll"]) == found["kl"]
    assert found["calibration"] == pytest.approx(usual["ece"])
    assert found["by_agreement"]["unanimous"] == {"faces": 200, "accuracy": usual["overall"]}


def test_any_of_the_tied_classes_is_right_and_how_many_voted_does_not_matter():
    votes = np.array([[5, 5, 0], [5, 5, 0], [4, 1, 0], [2, 0, 0], [12, 3, 0]], np.float32)
    logits = np.eye(3)[[0, 1, 1, 0, 0]]
    groups = vote_metrics(logits, votes)["by_agreement"]
    assert groups == {"unanimous": {"faces": 1, "accuracy": 1.0}, "8-9 of 10": {"faces": 2, "accuracy": 0.5},
                      "below": {"faces": 2, "accuracy": 1.0}}


def test_without_any_votes_there_are_no_numbers():
    found = vote_metrics(np.zeros((3, 4)), np.zeros((3, 4), np.float32))
    assert found["faces"] == 0 and found["without_votes"] == 3
    assert found["nll"] is found["kl"] is found["calibration"] is None
    assert found["by_agreement"]["below"] == {"faces": 0, "accuracy": None}


def test_the_usual_calibration_error_is_unchanged():
    """Before it shared its bins: written out, with a confidence on a border and one of 1."""
    p = np.array([[0.6, 0.4], [0.2, 0.8], [1.0, 0.0], [0.55, 0.45]])
    assert calibration_error(p, np.array([0, 0, 0, 1])) == pytest.approx((abs(0.4) + 0.8 + 0 + 0.55) / 4)
