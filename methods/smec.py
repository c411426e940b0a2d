"""SMEC, split and merge consistency (Kim et al., IEEE Access 2023): a face's class maps are those of its two halves.

L = CE(z of view 1, y) + lam mean (maps(view 1) - mirror(merged maps of view 2))^2 over faces, classes and places.
View 2 is a mirrored face without a loss of its own, cut into upper and lower half; the halves go through the network
apart, in one batch, and their maps are put together again, resized to view 1's if they do not fit (linear, by rows).
Maps by the classifier's weights, whose gradient, unlike EAC's, flows.

IIPL-CAU/SMEC at 29b5f4a; of the paper the abstract was at hand: two parts, maps merged, consistency of original and
merged. The code has two scripts. main.py: quarters, CE, lam 5.5. main_puzzle.py:67-118 with puzzle_utils_2.py: halves,
lam 10, and beside CE 7 mean log(1 - .5 <p / sum p, p>), ELR without its memory, since elr_loss.py makes its targets
anew in every step. Here are the paper's halves with main.py's CE and lam; which of them made the paper's numbers is
unknown. The third term is left out: a network that is trained from scratch is then sure of one class for all faces.
lam is for a pre-trained one, too: from scratch the maps must agree before they mean much, and rare classes come late.
Differences: there the last stage keeps its size (stride 1: maps of 14 x 14 at 224 px), and maps of 7 x 7 are compared,
view 1's by means of 2 x 2, view 2's by single places (loss.py:6-15); here all places of view 1's maps. There the
classifier has no bias. Views there (dataset.py:42-64): pixel noise (variance 30) in half of the first ones; main.py
erases .02 to .25 of half of both, independently, main_puzzle.py erases nothing; for the clean list view 2 is the mirror
image of view 1. Here both are the recipe's, view 2 as in `eac`. Batches of 32: train.sh.
"""

from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.parts.class_maps import maps_apart
from fer_bench.registry import register


@register("smec", paper="Kim et al., IEEE Access 2023", year=2023, family="fer", needs=("second view",), passes=2)
class SMEC(Method):
    rows: Tensor  # float32 [h, h'], resizes merged maps of h' rows
    views: ClassVar[dict[str, dict[str, Any]]] = {"mirrored": {"mirror": True}}
    paper_recipe: ClassVar[dict[str, Any]] = {
        "optimiser": "adam", "lr": 1e-4, "weight_decay": 1e-4, "schedule": "exponential", "gamma": 0.9,
        "batch_size": 32, "epochs": 60, "augment": {"noise": 0.5, "erase": 0.5, "erase_scale": (0.02, 0.25)},
        "colour": "rgb", "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    paper_sources: ClassVar[dict[str, str]] = {
        "code": "IIPL-CAU/SMEC at 29b5f4a, src/", "optimiser, lr, weight_decay": "main.py:193",
        "schedule, gamma": "main.py:194", "batch_size": "train.sh:12", "epochs": "main.py:47",
        "noise": "dataset.py:54-56; no flip of the first view", "erase, erase_scale": "main.py:160",
        "colour": "dataset.py:46", "mean, std": "main.py:158-159", "weights": "VGGFace2's ResNet-50 (main.py:39)"}

    def __init__(self, context: Context, *, lam: float = 5.5) -> None:
        super().__init__(context)
        self.lam = lam
        channels, height, width = context.image_shape
        half = replace(context, image_shape=(channels, height // 2, width))
        merged, whole = torch.eye(2 * half.map_shape(self.net)[1]), context.map_shape(self.net)[1]
        self.register_buffer("rows", F.interpolate(merged[None], size=whole, mode="linear")[0].T.contiguous())

    def merged(self, images: Tensor) -> Tensor:
        """Feature maps [B, D, h, w] of the halves of images [B, 3 or 1, S, S], put together; a last odd row is left."""
        size = images.shape[2] // 2
        halves = torch.cat([images[:, :, :size], images[:, :, size:2 * size]])
        return torch.einsum("ij,bcjw->bciw", self.rows, torch.cat(self.net.features(halves).chunk(2), 2))

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        maps, halves = self.net.features(batch.images), self.merged(batch.view("mirrored"))
        logits = self.net.head(maps.mean((2, 3)))
        whole, merged = (torch.einsum("cd,bdhw->bchw", self.net.head.weight, x) for x in (maps, halves))
        return F.cross_entropy(logits, batch.labels) + self.lam * maps_apart(whole, merged).mean()
