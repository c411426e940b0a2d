"""SCE, symmetric cross-entropy (Wang et al., ICCV 2019): cross-entropy plus its reverse.

L = alpha CE + beta RCE, RCE = -sum_c p_c log(onehot clamped at 1e-4), p clamped at 1e-7. So computes the third-party
HanxunH/SCELoss-Reproduce (loss.py:14-27 at c81fb33), whose script falls back to alpha = beta = 1 (train.py:27-28): our
defaults. The official YisenWang/symmetric_cross_entropy_for_noisy_labels (loss.py, train_models.py at 235d93b) clamps p
in CE instead of RCE and takes .1 and 1 for CIFAR-10, 6 and .1 for CIFAR-100.
"""

from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.registry import register


@register("sce", paper="Wang et al., ICCV 2019", year=2019, family="noise")
class SCE(Method):
    def __init__(self, context: Context, *, alpha: float = 1.0, beta: float = 1.0) -> None:
        super().__init__(context)
        self.alpha, self.beta = alpha, beta

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        logits: Tensor = self.net(batch.images)
        probabilities = logits.softmax(1).clamp(1e-7, 1)
        target = F.one_hot(batch.labels, logits.shape[1]).to(logits.dtype).clamp(min=1e-4)
        reverse = -(probabilities * target.log()).sum(1).mean()
        return self.alpha * F.cross_entropy(logits, batch.labels) + self.beta * reverse
