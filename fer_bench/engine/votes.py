"""How well predictions agree with the annotators' votes, beside the one label that a dataset makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import entr, log_softmax

from fer_bench.engine.metrics import ECE_BINS, binned_gap

AGREEMENT = {"unanimous": (1.0, np.inf), "8-9 of 10": (0.8, 1.0), "below": (-np.inf, 0.8)}  # share of the top class


def vote_metrics(logits: np.ndarray, votes: np.ndarray) -> dict[str, Any]:
    """Numbers of logits float [N, C] against votes float32 [N, C], as cast: plain floats and integers, None where there
    is no face to take a mean over. With p = softmax(logits) and v = votes / their sum for each face, means over faces:

    faces, without_votes: how many have votes and count, and how many have none and are left out.
    nll: -sum_c v_c log p_c. kl: sum_c v_c log(v_c / p_c), which is nll less the entropy of v.
    calibration: as ece, with v_k in the place of right or wrong, k the predicted class: over 15 equal bins of
    confidence p_k, the sum of |sum over the bin of (v_k - p_k)|, by the number of faces.
    by_agreement: for "unanimous", "8-9 of 10" (of a class with .8 of the votes or more, but not all) and "below",
    ``faces``, and ``accuracy``, the share of them whose predicted class has as many votes as any.
    """
    voted = votes.sum(1) > 0
    logits, votes = np.asarray(logits, np.float64)[voted], np.asarray(votes, np.float64)[voted]
    count = len(votes)
    found: dict[str, Any] = {"faces": count, "without_votes": int(len(voted) - count)}
    shares, log_p = votes / votes.sum(1, keepdims=True), log_softmax(logits, axis=1)
    nll, predicted = -(shares * log_p).sum(1), logits.argmax(1)
    of_predicted, confidence = shares[np.arange(count), predicted], np.exp(log_p.max(1))
    found |= {"nll": _mean(nll), "kl": _mean(nll - entr(shares).sum(1)),
              "calibration": binned_gap(confidence, of_predicted, ECE_BINS) if count else None}
    top, groups = shares.max(1), {}
    for name, (least, below) in AGREEMENT.items():
        inside = (top >= least) & (top < below)
        groups[name] = {"faces": int(inside.sum()), "accuracy": _mean(of_predicted[inside] == top[inside])}
    return found | {"by_agreement": groups}


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
