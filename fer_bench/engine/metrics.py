"""Numbers of one evaluation, all from one confusion matrix and one array of logits, so that they always agree."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import log_softmax

ECE_BINS = 15


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts int64 [C, C]: row = label, column = prediction."""
    return np.bincount(labels * num_classes + predicted, minlength=num_classes**2).reshape(num_classes, num_classes)


def evaluate(logits: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Metrics of logits [N, C] against labels int64 [N], as fractions.

    mean: average recall of the classes that occur in ``labels`` (an absent class has recall None and does not count:
    some released code counts it as 1). macro_f1: over the same classes. ece: 15 equal bins of confidence.
    """
    logits = np.asarray(logits, dtype=np.float64)
    confusion = confusion_matrix(labels, logits.argmax(1), logits.shape[1])
    correct, of_class, as_class = confusion.diagonal(), confusion.sum(1), confusion.sum(0)
    present = of_class > 0
    recall = correct[present] / of_class[present]
    f1 = 2 * correct[present] / (of_class[present] + as_class[present])
    log_p = log_softmax(logits, axis=1)
    return {
        "overall": float(correct.sum() / len(labels)),
        "mean": float(recall.mean()),
        "macro_f1": float(f1.mean()),
        "nll": float(-log_p[np.arange(len(labels)), labels].mean()),
        "ece": calibration_error(np.exp(log_p), labels),
        "recall": [float(c / n) if n else None for c, n in zip(correct, of_class, strict=True)],
    }


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = ECE_BINS) -> float:
    """Expected calibration error (Guo et al., ICML 2017): mean over bins of |accuracy - confidence|, by bin size."""
    return binned_gap(probabilities.max(1), probabilities.argmax(1) == labels, bins)


def binned_gap(confidence: np.ndarray, outcome: np.ndarray, bins: int) -> float:
    """Mean over equal bins of confidence of |mean outcome - mean confidence|, by bin size. Both [N], in 0 to 1."""
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(place, weights=outcome - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))
