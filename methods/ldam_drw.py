"""LDAM-DRW (Cao et al., NeurIPS 2019): larger margins for rarer classes, class weights only late in training.

L = CE(s (z - m_y onehot(y)), y), z the cosines of features and class weights, m_c = max_m n_c^(-1/4) / max n^(-1/4),
max_m .5, s 30. From `deferred` of the epochs on (.8; 160 of 200) faces are weighted by the class-balanced weights
(beta .9999) and the mean is over the weights (kaidic/LDAM-DRW losses.py:23-45, cifar_train.py:194-204 at 2536330).
The class weights begin with norm 1, as there (models/resnet_cifar.py, NormedLinear): only their direction counts, and
the longer they are, the slower they turn. A class without a face takes no part in margins or weights; the code would
divide by 0.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.parts.class_weights import effective_number_weights
from fer_bench.registry import register


class CosineHead(nn.Module):
    """s times the cosine of features [B, D] with each class's vector: [B, C]."""

    def __init__(self, dim: int, classes: int, scale: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(F.normalize(torch.empty(classes, dim).uniform_(-1, 1)))
        self.scale = scale

    def forward(self, features: Tensor) -> Tensor:
        return self.scale * F.linear(F.normalize(features), F.normalize(self.weight))


@register("ldam-drw", paper="Cao et al., NeurIPS 2019", year=2019, family="imbalance", schedule_epochs=200)
class LDAM(Method):
    margins: Tensor  # float32 [C]
    weights: Tensor  # float32 [C]

    def __init__(self, context: Context, *, max_margin: float = 0.5, scale: float = 30.0, deferred: float = 0.8,
                 beta: float = 0.9999) -> None:
        super().__init__(context)
        self.scale, self.deferred = scale, deferred
        self.net.head = CosineHead(self.net.dim, context.num_classes, scale)
        counts = context.class_counts
        # 0 for a class without a face: it would be the rarest, and shrink the margins of all others
        rarity = (counts > 0) * counts.clamp(min=1).to(torch.get_default_dtype()) ** -0.25
        self.register_buffer("margins", max_margin * rarity / rarity.max())
        self.register_buffer("weights", effective_number_weights(context.class_counts, beta))

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        logits = self.net(batch.images)
        margins = F.one_hot(batch.labels, logits.shape[1]) * self.margins
        losses = F.cross_entropy(logits - self.scale * margins, batch.labels, reduction="none")
        late = clock.epoch >= self.deferred * clock.epochs
        weights = torch.where(late, self.weights, torch.ones_like(self.weights))[batch.labels]
        return (weights * losses).sum() / weights.sum()
