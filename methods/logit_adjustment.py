"""Logit adjustment (Menon et al., ICLR 2021): shift the logits by the logarithm of the class frequencies.

In training: L = CE(z + tau log pi, y), the plain z predict; with tau 1 this is balanced softmax but for a constant.
After training (`logit-adjustment-post-hoc`): L = CE(z, y), z - tau log pi predicts. pi_c = n_c / N of the given
labels. A class without a face counts as having one, pi = 1 / N: log 0 would take the class out of the softmax in
training, and after training make it every prediction.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.registry import register


@register("logit-adjustment", paper="Menon et al., ICLR 2021", year=2021, family="imbalance")
@register("logit-adjustment-post-hoc", paper="Menon et al., ICLR 2021", year=2021, family="imbalance",
          preset={"when": "after"})
class LogitAdjustment(Method):
    log_prior: Tensor  # float32 [C]

    def __init__(self, context: Context, *, tau: float = 1.0, when: Literal["training", "after"] = "training") -> None:
        super().__init__(context)
        self.tau, self.when = tau, when
        counts = context.class_counts
        prior = counts.clamp(min=1).to(torch.get_default_dtype()) / counts.sum()
        self.register_buffer("log_prior", prior.log())

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        logits = self.net(batch.images)
        return F.cross_entropy(logits + self.tau * self.log_prior if self.when == "training" else logits, batch.labels)

    def predict(self, images: Tensor) -> Tensor:
        logits: Tensor = self.net(images)
        return logits if self.when == "training" else logits - self.tau * self.log_prior
