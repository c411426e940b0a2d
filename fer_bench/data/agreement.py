"""How far the annotators of a face agree: shares and entropy of its votes, unanimous to below eight of ten."""

from __future__ import annotations

import numpy as np
from scipy.stats import entropy

BANDS = ("unanimous", "8-9 of 10", "below", "no votes")


def top_share(votes: np.ndarray) -> np.ndarray:
    """float64 [N], the share of the class that most voted for, of votes [N, C]; 0 where nobody voted."""
    votes = votes.astype(np.float64)
    total = votes.sum(1)
    found: np.ndarray = votes.max(1) / np.where(total, total, 1)
    return found


def bands(votes: np.ndarray) -> np.ndarray:
    """int64 [N], the position in BANDS of every face's agreement."""
    share = top_share(votes)
    return np.select([share == 0, share < 0.8, share < 1], [3, 2, 1], 0)


def ambiguity(votes: np.ndarray) -> np.ndarray:
    """float64 [N], the entropy of the votes in nats; -1 where nobody voted."""
    votes = votes.astype(np.float64)
    total = votes.sum(1, keepdims=True)
    found: np.ndarray = np.where(total[:, 0] > 0, entropy(np.where(total > 0, votes, 1), axis=1), -1.0)
    return found
