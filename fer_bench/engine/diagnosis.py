"""What a method made of the labels that the harness knows to be wrong, and of the faces that annotators disagree on.

No method sees these numbers: wrong labels come from the protocol, ambiguity from the annotators' votes.
"""

from __future__ import annotations

import math

import numpy as np


def memorisation(predicted: np.ndarray, given: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Of the wrongly labelled training faces, the share predicted as their wrong label (memorised) and as their true
    one (corrected). All arrays int64 [W], wrong faces only; empty when there is none."""
    if not len(given):
        return {}
    return {"memorised": float((predicted == given).mean()), "corrected": float((predicted == true).mean())}


def weight_quality(
    weight: np.ndarray, given: np.ndarray, true: np.ndarray, votes: np.ndarray | None
) -> dict[str, float]:
    """What the per-sample weights [N] of an epoch say, from ``batch.log(weight=...)``.

    weight_auroc: how well a low weight tells a wrong label (.5: not at all). weight_ambiguity: Spearman correlation of
    weight and entropy of the votes, over the rightly labelled faces.
    """
    wrong = given != true
    found: dict[str, float] = {}
    if not np.isfinite(weight).all():
        return found
    if wrong.any() and not wrong.all():
        from sklearn.metrics import roc_auc_score  # here: half a second that only noisy runs need

        found["weight_auroc"] = float(roc_auc_score(wrong, -weight))
    if votes is not None:
        from scipy.stats import entropy, spearmanr  # here: they would delay the first step

        rated = ~wrong & (votes.sum(1) > 0)
        ambiguity = entropy(votes[rated], axis=1)
        if rated.sum() > 2 and np.ptp(ambiguity) > 0 and np.ptp(weight[rated]) > 0:
            correlation = float(spearmanr(weight[rated], ambiguity).statistic)
            if math.isfinite(correlation):
                found["weight_ambiguity"] = correlation
    return found
