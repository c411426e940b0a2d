"""MAN, Mining Ambiguity and Noise (Zhang et al., 2022): clean, ambiguous and noisy faces each get another loss.

Before each epoch after the warm-up two networks look at all faces: both right: clean, one right: ambiguous, none:
noisy. L = mean of both networks' CE on clean + .6 mutual on ambiguous + mean of both networks' MSE between the
softmax of a weak and a strong view on noisy faces; mutual = (1 - m) (CE_1 + CE_2)/2 + m (KL_12 + KL_21)/2,
m = .9 exp(-.65 (1 - e/.9E)^2), e from 1. Predicts with the mean of both networks' logits, as the published figure
(test() in main.py).

The strong view is the method's own: crop by 4 of 224 pixels, flip, RandAugment (2 operations, magnitude 10), a grey
square of 16 of 224 pixels, no erasing (main.py:301-308, randaugument.py). The weak view is the recipe's; there it has
colour jitter, shift, zoom and erasing (main.py:286-299).

Differences from zzzzzzyang/MAN at df07e3f, main.py:98-276: there the look is on augmented faces, here on plain ones;
there the warm-up is 10 of 100 epochs, here a share of them. There the groups go through the networks apart, each with
batch statistics of its own, and only noisy faces have a strong view; here all faces of a batch go together, and so do
their strong views, in the warm-up too, where they move the running statistics alone. lr is Adam's default, since its
flag --lr is not used (main.py:283).
"""

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method, Sweep
from fer_bench.parts.divergence import symmetric_kl
from fer_bench.parts.ramps import mimicry
from fer_bench.parts.small_loss import mean_over
from fer_bench.registry import register


@register("man", paper="Zhang et al., Pattern Recognition Letters 164, 2022", year=2022, family="fer",
          needs=("second view", "2 networks", "per-sample state", "sweeps"), passes=4, schedule_epochs=100,
          history=("the strong view is its own, with RandAugment", "a cutout of an odd side keeps it"))
class MAN(Method):
    views: ClassVar[dict[str, dict[str, Any]]] = {"strong": {
        "noise": 0.0, "crop": 0.018, "flip": 0.5, "randaugment": 2, "magnitude": 10.0, "cutout": 0.071, "shift": 0,
        "erase": 0.0}}
    given: Tensor  # int64 [N], the given labels
    right: Tensor  # int64 [N], how many of the two networks predict the given label; 2 during the warm-up
    paper_recipe: ClassVar[dict[str, Any]] = {
        "optimiser": "adam", "lr": 1e-3, "weight_decay": 1e-4, "schedule": "exponential", "gamma": 0.9,
        "batch_size": 128, "epochs": 100, "augment": {"flip": 0.5, "erase": 0.5, "erase_scale": (0.02, 0.25)},
        "colour": "rgb", "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    paper_sources: ClassVar[dict[str, str]] = {
        "code": "zzzzzzyang/MAN at df07e3f", "optimiser, weight_decay": "main.py:283",
        "lr": "main.py:283: Adam's default, since --lr is not used", "schedule, gamma": "main.py:337",
        "batch_size": "main.py:32", "epochs": "main.py:33", "flip": "main.py:288", "erase, erase_scale": "main.py:298",
        "colour": "dataset.py:49", "mean, std": "main.py:296-297", "weights": "resnet18_msceleb.pth (main.py:31)",
        "left out": "of the weak view: colour jitter, moves and zooms for half of the faces (main.py:289-292)"}

    def __init__(
        self, context: Context, *, warmup: float = 0.1, ambiguous: float = 0.6, noisy: float = 1.0
    ) -> None:
        super().__init__(context)
        self.peer = context.backbone()
        self.warmup, self.ambiguous, self.noisy = warmup, ambiguous, noisy
        self.register_buffer("given", context.labels.clone())
        self.register_buffer("right", torch.full((context.num_samples,), 2))

    def begin_epoch(self, clock: Clock, sweep: Sweep) -> None:
        if int(clock.epoch) < self.warmup * clock.epochs:
            return

        def visit(images: Tensor, index: Tensor) -> None:
            found = [net(images).argmax(1) == self.given[index] for net in (self.net, self.peer)]
            self.right[index] = found[0].long() + found[1].long()

        sweep(visit)

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        weak = [net(batch.images) for net in (self.net, self.peer)]
        strong = [net(view) for view in (batch.view("strong"),) for net in (self.net, self.peer)]
        right = self.right[batch.index]
        batch.log(weight=right / 2)
        losses = [F.cross_entropy(z, batch.labels, reduction="none") for z in weak]
        clean = (losses[0] + losses[1]) / 2
        m = mimicry(clock.epoch + 1, clock.epochs)
        mutual = (1 - m) * clean + m * symmetric_kl(weak[0], weak[1]) / 2
        apart = [(w.softmax(1) - s.softmax(1)).square().mean(1) for w, s in zip(weak, strong, strict=True)]
        steady = (apart[0] + apart[1]) / 2
        return (mean_over(clean, right == 2) + self.ambiguous * mean_over(mutual, right == 1)
                + self.noisy * mean_over(steady, right == 0))

    def predict(self, images: Tensor) -> Tensor:
        logits: Tensor = (self.net(images) + self.peer(images)) / 2
        return logits
