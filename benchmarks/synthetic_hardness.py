"""How hard the dataset ``synthetic`` is: logistic regression, and cross-entropy on clean and on noisy labels.

    python benchmarks/synthetic_hardness.py    # about three minutes; writes benchmarks/results/synthetic_hardness.json
"""

import math
import time
from typing import Any

import numpy as np
import torch
from common.tools import parser, write
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from timm.models.resnet import BasicBlock, ResNet
from torch import Tensor, nn
from torch.nn import functional as F

from fer_bench.data.drawn.synthetic import Faces, load
from fer_bench.data.drawn.units import CLASSES
from fer_bench.engine.device import processor

# No random shift: with one, so few epochs learn next to none of the wrong labels.
RECIPE = {"epochs": 14, "batch": 64, "lr": 5e-3, "weight_decay": 1e-4, "flip": .5, "shift": 0}
NOISE, SEEDS = .3, (0, 1, 2)


def logistic(faces: Faces) -> float:
    """Test accuracy of multinomial logistic regression on standardised pixels."""
    own, pixels = faces.split == "train", faces.images.reshape(len(faces.images), -1).astype(np.float32)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=.001, max_iter=300))
    model.fit(pixels[own], faces.labels[own])
    return round(100 * model.score(pixels[~own], faces.labels[~own]), 2)  # type: ignore[no-any-return]


def corrupted(labels: np.ndarray, seed: int) -> np.ndarray:
    """Labels of which a share NOISE, drawn anew, is another class."""
    rng, result = np.random.default_rng(seed), labels.copy()
    rows = rng.permutation(len(labels))[: round(NOISE * len(labels))]
    result[rows] = (labels[rows] + rng.integers(1, len(CLASSES), len(rows))) % len(CLASSES)
    return result


def make_net() -> nn.Module:
    """One basic block a stage, grey, without max-pooling."""
    net = ResNet(BasicBlock, (1, 1, 1, 1), in_chans=1, num_classes=len(CLASSES),  # type: ignore[arg-type]
                 channels=(16, 32, 64, 128), stem_type="deep", stem_width=8)
    net.maxpool = nn.Identity()  # type: ignore[assignment]
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def augmented(images: Tensor) -> Tensor:
    """Mirrored with a chance, shifted at random."""
    count, shift = len(images), int(RECIPE["shift"])
    flipped = torch.where((torch.rand(count) < RECIPE["flip"])[:, None, None, None], images.flip(3), images)
    wide = F.pad(flipped, (shift,) * 4)  # zeros come in from outside
    rows, columns = torch.randint(0, 2 * shift + 1, (2, count, 1)) + torch.arange(48)
    return wide[torch.arange(count)[:, None, None], 0, rows[:, :, None], columns[:, None, :]][:, None]


def train(images: Tensor, labels: Tensor, seed: int) -> nn.Module:
    """A network after all epochs, the learning rate following half a cosine."""
    torch.manual_seed(seed)
    net, epochs, batch, lr = make_net(), int(RECIPE["epochs"]), int(RECIPE["batch"]), RECIPE["lr"]
    optimiser = torch.optim.Adam(net.parameters(), lr=lr, weight_decay=RECIPE["weight_decay"], fused=True)
    steps, step = epochs * (len(images) // batch), 0
    for _ in range(epochs):
        order = torch.randperm(len(images))
        for start in range(0, len(images) - batch + 1, batch):
            rows = order[start : start + batch]
            optimiser.param_groups[0]["lr"] = lr * .5 * (1 + math.cos(math.pi * step / steps))
            scores = net(augmented(images[rows]).contiguous(memory_format=torch.channels_last))
            optimiser.zero_grad()
            F.cross_entropy(scores, labels[rows]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            step += 1
    return net.eval()


def run(faces: Faces, noisy: bool, seed: int) -> dict[str, Any]:
    """One training run, measured after its last epoch on the clean test faces."""
    began, own = time.perf_counter(), faces.split == "train"
    images = ((torch.from_numpy(faces.images).float() / 255 - .5) / .25)[:, None]
    labels = corrupted(faces.labels[own], seed) if noisy else faces.labels[own]
    net = train(images[torch.from_numpy(own)], torch.from_numpy(labels), seed)
    with torch.inference_mode():
        predicted = net(images).argmax(1).numpy()
    right, changed = predicted == faces.labels, labels != faces.labels[own]
    recall = [round(100 * float(right[~own & (faces.labels == c)].mean()), 2) for c in range(len(CLASSES))]
    learnt = round(100 * float((predicted[own] == labels)[changed].mean()), 2) if noisy else None
    return {"noisy": noisy, "seed": seed, "mean_class_accuracy": round(float(np.mean(recall)), 2),
            "recall": dict(zip(CLASSES, recall, strict=True)), "wrong_labels_learnt": learnt,
            "seconds": round(time.perf_counter() - began, 1)}


def summary(clean: list[dict[str, Any]], noisy: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the seeds."""
    def mean(runs: list[Any], key: str) -> float:
        return round(float(np.mean([r[key] for r in runs])), 2)

    recall = [{c: mean([r["recall"] for r in runs], c) for c in CLASSES} for runs in (clean, noisy)]
    before, after = mean(clean, "mean_class_accuracy"), mean(noisy, "mean_class_accuracy")
    return {"clean": before, "noisy": after, "drop": round(before - after, 2), "clean_recall": recall[0],
            "noisy_recall": recall[1], "wrong_labels_learnt": mean(noisy, "wrong_labels_learnt")}


def main() -> None:
    """Measure everything and write the JSON."""
    options = parser(__doc__, "synthetic_hardness").parse_args()
    torch.set_num_threads(1)
    faces = load()
    clean, noisy = ([run(faces, is_noisy, seed) for seed in SEEDS] for is_noisy in (False, True))
    figures = {"data_sha256": faces.digest(), "recipe": RECIPE, "noise": NOISE,
               "machine": {"cpu": processor(), "threads": 1, "torch": torch.__version__},
               "logistic_regression": logistic(faces), **summary(clean, noisy), "runs": clean + noisy}
    print(write(figures, options.out))


if __name__ == "__main__":
    main()
