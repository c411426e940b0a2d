"""Testing a trained network on more than the run's own test set, after training and without any effect on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.special import log_softmax

from fer_bench.data.selection import Images
from fer_bench.engine.augment import normalise
from fer_bench.engine.metrics import confusion_matrix, evaluate
from fer_bench.engine.pixels import as_tensor, eval_batch
from fer_bench.engine.trainer import Trainer
from fer_bench.protocols.prepare import Faces

Predict = Callable[[Images], np.ndarray]  # faces to logits float32 [N, C]


@dataclass(frozen=True)
class Trained:
    """What a further test is given of a finished run. predicted: int64 [N], of the test faces, by the network of the
    last epoch. weighted, weight: training faces int64 [K] and their weights float32 [K] in that epoch; empty where the
    method weights none."""

    predict: Predict
    train: Faces
    test: Faces
    predicted: np.ndarray
    weighted: np.ndarray
    weight: np.ndarray


def trained(trainer: Trainer, predicted: np.ndarray) -> Trained:
    """What further tests are given of a trainer whose epochs are over."""
    data = trainer.inputs.data
    return Trained(predictor(trainer), data.train, data.test, predicted, *trainer.last_weights())


def training_faces(trained: Trained, most: int) -> dict[str, Any]:
    """What became of single training faces, as lists of [id, given class, true class, number], at most so many each:

    memorised: wrongly labelled and predicted as that wrong label, with the probability that it gets; highest first.
    lowest, highest: those of the least and the greatest weight, with it; empty where the method weights none.
    """
    faces, wrong = trained.train, np.flatnonzero(trained.train.given != trained.train.true)
    found: dict[str, Any] = {"faces": len(faces), "wrong": len(wrong)}

    def listed(rows: np.ndarray, numbers: np.ndarray, sign: int) -> list[list[Any]]:
        order = np.argsort(sign * numbers, kind="stable")[:most]
        return [[faces.ids[row], int(faces.given[row]), int(faces.true[row]), round(float(number), 4)]
                for row, number in zip(rows[order].tolist(), numbers[order], strict=True)]

    logits = trained.predict(faces.take(wrong).images) if len(wrong) else np.zeros((0, 1))
    learnt = np.flatnonzero(logits.argmax(1) == faces.given[wrong])
    probability = np.exp(log_softmax(logits[learnt].astype(np.float64), axis=1))
    given = probability[np.arange(len(learnt)), faces.given[wrong[learnt]]]
    known = np.isfinite(trained.weight)
    weighted, weight = trained.weighted[known], trained.weight[known]
    return found | {"memorised": listed(wrong[learnt], given, -1), "lowest": listed(weighted, weight, 1),
                    "highest": listed(weighted, weight, -1)}


def predictor(trainer: Trainer) -> Predict:
    """How the method of a trainer predicts any faces: on plain images, in evaluation mode, one batch after another."""
    method, recipe, device = trainer.method, trainer.recipe, trainer.device
    size = eval_batch(device, recipe.image_size)

    @torch.no_grad()
    def predict(images: Images) -> np.ndarray:
        method.eval()
        parts = []
        for start in range(0, len(images), size):
            batch = as_tensor(np.array(images[np.arange(start, min(start + size, len(images)))])).to(device)
            parts.append(method.predict(normalise(batch, recipe)).float().cpu().numpy())
        method.train()
        return np.concatenate(parts)

    return predict


def accuracy(logits: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """The metrics of some faces, how many they are, and their confusion matrix."""
    confusion = confusion_matrix(labels, logits.argmax(1), logits.shape[1])
    return {"faces": len(labels), **evaluate(logits, labels), "confusion": confusion.tolist()}


def accuracy_of_labels(predicted: np.ndarray, labels: np.ndarray, classes: int) -> dict[str, Any]:
    """The same of predicted labels int64 [N], less what needs logits."""
    logits = np.eye(classes)[predicted]
    return {key: value for key, value in accuracy(logits, labels).items() if key not in ("nll", "ece")}
