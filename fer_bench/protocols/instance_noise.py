"""Wrong labels that depend on the face: those of a network that confuses it, and those of one of its annotators."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fer_bench.protocols.corrupt import round_half_up, smallest, uniform


def instance_noise(ids: Sequence[str], labels: np.ndarray, probabilities: np.ndarray, rate: float) -> np.ndarray:
    """Labels with exactly round(rate N) of them changed to the class that a network confuses the face with, the most
    confusable faces first. int64 [N].

    probabilities: float [N, C] of the network. The class is the likeliest of the others, how confusable a face is that
    class's probability, as in Chen et al., AAAI 2021 (cifar10_gen_dependent.py of chenpf1025/IDN); equal ones are
    ordered by id. No seed: the changed faces are the same in every run, and those of a lower rate are among them.
    """
    others = np.array(probabilities, dtype=np.float64)
    others[np.arange(len(labels)), labels] = -1.0
    rows = smallest(-others.max(1), ids, round_half_up(rate * len(labels)))
    noisy = labels.copy()
    noisy[rows] = others[rows].argmax(1)
    return noisy


def one_annotator(ids: Sequence[str], labels: np.ndarray, votes: np.ndarray, seed: int) -> np.ndarray:
    """For each face one of its votes, drawn at random by id and seed. int64 [N].

    votes: float [N, C], how many annotators chose each class. A face without votes keeps its label.
    """
    upto = np.cumsum(votes, axis=1, dtype=np.float64)
    drawn = uniform("annotator", seed, ids) * upto[:, -1]
    return np.where(upto[:, -1] > 0, (upto <= drawn[:, None]).sum(1), labels)
