"""Testing a trained network on more than the run's own test set, after training and without any effect on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from fer_bench.data.selection import Images
from fer_bench.engine.augment import normalise
from fer_bench.engine.metrics import confusion_matrix, evaluate
from fer_bench.engine.pixels import as_tensor, eval_batch
from fer_bench.engine.trainer import Trainer

Predict = Callable[[Images], np.ndarray]  # faces to logits float32 [N, C]


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
