"""Class-balanced loss (Cui et al., CVPR 2019): classes count by the inverse of their effective number of faces.

L = mean of w_y CE, w_c = (1 - beta) / (1 - beta^n_c) scaled to a sum of C, beta .9999; n_c are the counts of the
given labels; with beta 1 its limit, w_c in proportion to 1 / n_c. A class without a face weighs 0, the others sum to
their number. The mean is over the batch, as in the paper's code for softmax (richardaecn/class-balanced-loss
src/cifar_main.py, _tower_fn); LDAM-DRW's `Reweight` rule and our ldam-drw divide by the sum of the weights instead.

`class-balanced-focal`: w_y (1 - p_y)^gamma CE of the softmax; the paper's focal loss is of one sigmoid for each class
(cifar_main.py, focal_loss). gamma 1 as LDAM-DRW's script (cifar_train.py:214-215); p_y is of the unweighted
cross-entropy, whereas losses.py:7-21 there takes it from the weighted one, which is no probability.
"""

from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.parts.class_weights import effective_number_weights
from fer_bench.registry import register


@register("class-balanced", paper="Cui et al., CVPR 2019", year=2019, family="imbalance")
@register("class-balanced-focal", paper="Cui et al., CVPR 2019", year=2019, family="imbalance", preset={"gamma": 1.0})
class ClassBalanced(Method):
    weights: Tensor  # float32 [C]

    def __init__(self, context: Context, *, beta: float = 0.9999, gamma: float = 0.0) -> None:
        super().__init__(context)
        self.gamma = gamma
        self.register_buffer("weights", effective_number_weights(context.class_counts, beta))

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        losses = F.cross_entropy(self.net(batch.images), batch.labels, reduction="none")
        if self.gamma:
            losses = (1 - (-losses).exp()).clamp(min=0) ** self.gamma * losses
        return (self.weights[batch.labels] * losses).mean()
