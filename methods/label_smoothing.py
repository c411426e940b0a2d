"""Label smoothing (Szegedy et al., CVPR 2016): the given label gets 1 - epsilon + epsilon/C, every other epsilon/C.

L = CE(z, (1 - epsilon) onehot(y) + epsilon / C). Some codes give epsilon/(C-1) to the others alone, which is the same
with another epsilon.
"""

from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.registry import register


@register("label-smoothing", paper="Szegedy et al., CVPR 2016", year=2016, family="noise")
class LabelSmoothing(Method):
    def __init__(self, context: Context, *, epsilon: float = 0.1) -> None:
        super().__init__(context)
        self.epsilon = epsilon

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        return F.cross_entropy(self.net(batch.images), batch.labels, label_smoothing=self.epsilon)
