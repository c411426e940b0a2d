"""Cross-entropy: the baseline that every other method is compared with.

L = mean of -log softmax(z)[y]. No difference between paper and code to report.
"""

from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Method
from fer_bench.registry import register


@register("ce", paper="cross-entropy", year=1989, family="baseline")
class CrossEntropy(Method):
    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        return F.cross_entropy(self.net(batch.images), batch.labels)
