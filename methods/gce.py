"""GCE, generalised cross-entropy (Zhang and Sabuncu, NeurIPS 2018): between cross-entropy and mean absolute error.

L = mean of (1 - p_y^q) / q, q = .7. `truncate` k > 0 leaves faces with p_y <= k out of the gradient (the paper's
truncated loss, k = .5; its alternating pruning of the training set is not done).
"""

from torch import Tensor

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.registry import register


@register("gce", paper="Zhang and Sabuncu, NeurIPS 2018", year=2018, family="noise")
class GCE(Method):
    def __init__(self, context: Context, *, q: float = 0.7, truncate: float = 0.0) -> None:
        super().__init__(context)
        self.q, self.truncate = q, truncate

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        log_p: Tensor = self.net(batch.images).log_softmax(1).gather(1, batch.labels[:, None]).squeeze(1)
        power = (self.q * log_p).exp()  # p^q without the infinite slope of a power at 0
        return ((1 - power.clamp(min=self.truncate**self.q)) / self.q).mean()
