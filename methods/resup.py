"""ReSup, Reliable Label Noise Suppression (Zhang et al., 2023): two networks weigh faces for each other.

Before each epoch but the first, s_i = cos(softmax z_i, onehot y_i) of every face and network; a mixture of two Beta
distributions over s gives c_i, the posterior of the higher one (made not to fall with s). L = mean(c_of_2 CE_1 +
c_of_1 CE_2) + lam mean (p_1 - p_2)^2, lam 5; the first epoch is plain cross-entropy. Predicts with the first network.

purpleleaves007/FERDenoise at 0eb4353, utils.py:184-256. There s is taken anew in every step and its posterior read from
a table of 100 bins, here c holds for an epoch; there the mixture is fitted to augmented faces (track_training_loss runs
over the training loader), here to plain ones; there the table is set to its maximum from its arg-max on
(BetaMixture1D.create_lookup), here c never falls as s rises, also below the lower distribution's mean, where the table
turns up again: that is ours; there one network begins from face weights and the other from ImageNet's, here both begin
from the run's.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method, Sweep
from fer_bench.parts.mixture import beta_high
from fer_bench.registry import register


@register("resup", paper="Zhang et al., 2023", year=2023, family="fer",
          needs=("2 networks", "per-sample state", "sweeps"), passes=2,
          history=("the least similar faces are no longer lifted to the weight at the lower mean",))
class ReSup(Method):
    given: Tensor  # int64 [N], the given labels
    weight: Tensor  # float32 [N, 2], c of each network
    paper_recipe: ClassVar[dict[str, Any]] = {
        "optimiser": "adam", "lr": 2e-4, "weight_decay": 0.0, "schedule": "step", "milestones": ((10, 0.1), (20, 0.01)),
        "batch_size": 96, "epochs": 30, "augment": {"flip": 0.5, "erase": 0.5, "erase_scale": (0.02, 0.25)},
        "colour": "rgb", "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    paper_sources: ClassVar[dict[str, str]] = {
        "code": "purpleleaves007/FERDenoise at 0eb4353", "optimiser, lr": "main.py:19",
        "weight_decay": "main.py:19: none", "schedule, milestones": "main.py:20-21, utils.py:299",
        "batch_size": "main.py:52", "epochs": "main.py:88", "flip": "main.py:26", "erase, erase_scale": "main.py:33",
        "colour": "data_loader.py:117", "mean, std": "main.py:31-32",
        "weights": "resnet18_msceleb.pth for one network, ImageNet's for the other (model.py:15-33)",
        "left out": "crops from 32 px of padding for a fifth of the faces (main.py:27-29)"}

    def __init__(self, context: Context, *, lam: float = 5.0) -> None:
        super().__init__(context)
        self.peer, self.lam = context.backbone(), lam
        self.register_buffer("given", context.labels.clone())
        self.register_buffer("weight", torch.ones(context.num_samples, 2))

    def begin_epoch(self, clock: Clock, sweep: Sweep) -> None:
        if int(clock.epoch) == 0:
            return
        similarity = torch.zeros_like(self.weight)

        def visit(images: Tensor, index: Tensor) -> None:
            for k, net in enumerate((self.net, self.peer)):
                p = F.normalize(net(images).softmax(1))
                similarity[index, k] = p.gather(1, self.given[index][:, None]).squeeze(1)

        sweep(visit)
        for k in range(2):
            self.weight[:, k] = beta_high(similarity[:, k])

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        one: Tensor = self.net(batch.images)
        other: Tensor = self.peer(batch.images)
        weight = self.weight[batch.index]
        batch.log(weight=weight.mean(1))
        losses = (weight[:, 1] * F.cross_entropy(one, batch.labels, reduction="none")
                  + weight[:, 0] * F.cross_entropy(other, batch.labels, reduction="none")).mean()
        apart = (one.softmax(1) - other.softmax(1)).square().mean()
        return losses + self.lam * (clock.epoch > 0) * apart
