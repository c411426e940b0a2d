"""SOFT (Lukov et al., ECCV 2022): a mean teacher's predictions, softened where they are sure, teach beside the labels.

L = CE(alpha z, y) + weight ramp(e) KL(q || softmax z), alpha = sigmoid(linear(features)). q: of the teacher's
prediction p of the same faces, the classes with p > 1/C share 1 - eps in proportion to p, the others share eps
evenly. Teacher: moving average of the network's parameters over `memory` of all steps, the plain mean of the steps
until then. eps .3, weight 10, ramp 5 of 80 epochs (toharl/soft at e588289, losses.py:28-54). The student predicts,
without alpha.

Differences from that code: its average has the decay .999, so a memory of 1000 steps however long training is
(cli.py); `memory` .065 is what those are of its 80 epochs of RAF-DB with batches of 64, so that a short training has a
teacher that forgets its first weights too. Its teacher sees an augmentation of its own, here the student's faces; in
both it is in training mode, with the statistics of each batch. It reads ema_logit before it assigns it
(main_fer.py:416). It keeps the best epoch of student and teacher on the test set.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.parts.divergence import kl
from fer_bench.parts.ramps import ramp_up
from fer_bench.parts.teacher import decay_over, follow, make_teacher
from fer_bench.registry import register


@register("soft", paper="Lukov et al., ECCV 2022", year=2022, family="fer", needs=("2 networks",), passes=2,
          schedule_epochs=80)
class SOFT(Method):
    paper_recipe: ClassVar[dict[str, Any]] = {
        "optimiser": "adam", "lr": 1e-4, "weight_decay": 0.0, "schedule": "constant", "batch_size": 64, "epochs": 80,
        "augment": {"flip": 0.5, "erase": 0.5, "erase_scale": (0.02, 0.25)},
        "colour": "rgb", "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    paper_sources: ClassVar[dict[str, str]] = {
        "code": "toharl/soft at e588289", "optimiser": "main_fer.py:119-120, mean_teacher/cli.py:101",
        "lr, batch_size, epochs": "bash_exp/run_exp.sh:3", "weight_decay": "mean_teacher/cli.py:62: none",
        "schedule": "main_fer.py:563-576, mean_teacher/cli.py:52-57", "flip": "mean_teacher/datasets.py:14",
        "erase, erase_scale": "mean_teacher/datasets.py:22", "colour": "main_fer.py:306",
        "mean, std": "mean_teacher/datasets.py:20-21", "weights": "MS-Celeb (bash_exp/run_exp.sh:3)",
        "left out": "DAN's turns and crops for a fifth of the faces (mean_teacher/datasets.py:15-18)"}

    def __init__(
        self, context: Context, *, epsilon: float = 0.3, weight: float = 10.0, ramp: float = 0.0625,
        memory: float = 0.065,
    ) -> None:
        super().__init__(context)
        self.teacher, self.alpha = make_teacher(self.net), nn.Linear(self.net.dim, 1)
        self.epsilon, self.weight, self.ramp = epsilon, weight, ramp
        self.decay = decay_over(memory, context.epochs * context.steps_per_epoch)

    def soften(self, p: Tensor) -> Tensor:
        """q of probabilities p [B, C]; with no class under 1/C (all equal), p itself."""
        likely = p > 1 / p.shape[1]
        kept = (1 - self.epsilon) * p * likely / (p * likely).sum(1, keepdim=True).clamp(min=1e-12)
        spread = self.epsilon * (~likely) / (~likely).sum(1, keepdim=True).clamp(min=1)
        return torch.where(likely.any(1, keepdim=True), kept + spread, p)

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        features = self.net.embed(batch.images)
        logits, alpha = self.net.head(features), torch.sigmoid(self.alpha(features))
        batch.log(weight=alpha.squeeze(1))
        with torch.no_grad():
            q = self.soften(self.teacher(batch.images).softmax(1)).clamp(min=1e-12)
        ramp = ramp_up(clock.epoch, self.ramp * clock.epochs, 5.0)
        return F.cross_entropy(alpha * logits, batch.labels) + self.weight * ramp * kl(q.log(), logits).mean()

    def after_step(self, clock: Clock) -> None:
        follow(self.teacher, self.net, self.decay, clock.step)
