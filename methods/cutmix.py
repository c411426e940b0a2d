"""CutMix (Yun et al., ICCV 2019): a rectangle of each face is another face's, and so is its share of the label.

With lam ~ Beta(alpha, alpha) and a box of height H sqrt(1 - lam) and width W sqrt(1 - lam) around a uniform centre, cut
off at the image's edges, face i gets the box of face j. L = s CE(z, y_i) + (1 - s) CE(z, y_j), s the share of face i's
pixels that are left. lam, box and the permutation j once per batch; with 1 - `probability` a batch is left whole. All
of it as in clovaai/CutMix-PyTorch train.py:227-244, 279-295 at 2d8eb68. alpha 1 is the paper's; probability 1 is
ImageNet's there, .5 CIFAR's (README.md). No difference between paper and code to report.

It was trained on no faces, so track `paper` leaves the recipe as it is. ImageNet's (README.md, train.py:173-175,
369-377): SGD with Nesterov's momentum, .1, batches of 256, 300 epochs, a tenth of the rate after every 75.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.registry import register


@register("cutmix", paper="Yun et al., ICCV 2019", year=2019, family="noise")
class CutMix(Method):
    def __init__(self, context: Context, *, alpha: float = 1.0, probability: float = 1.0) -> None:
        super().__init__(context)
        self.alpha, self.probability, self.size = alpha, probability, context.image_shape[1:]

    def draw(self, generator: torch.Generator, size: int) -> dict[str, Tensor]:
        rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
        mixed = rng.random() < self.probability and self.alpha > 0
        lam = rng.beta(self.alpha, self.alpha) if mixed else 1.0
        edges, left = [], 1.0
        for length in self.size:  # height, then width
            half, centre = int(length * (1 - lam) ** 0.5) // 2, int(rng.integers(length))
            edges += [max(centre - half, 0), min(centre + half, length)]
            left *= (edges[-1] - edges[-2]) / length
        return {"share": torch.full((size,), 1 - left), "box": torch.tensor([edges] * size),
                "partner": torch.randperm(size, generator=generator)}

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        share, partner, (top, bottom, left, right) = batch.draws["share"], batch.draws["partner"], batch.draws["box"].T
        y, x = (torch.arange(length, device=share.device) for length in batch.images.shape[2:])
        rows = (y >= top[:, None]) & (y < bottom[:, None])
        columns = (x >= left[:, None]) & (x < right[:, None])
        inside = rows[:, None, :, None] & columns[:, None, None, :]
        logits = self.net(torch.where(inside, batch.images[partner], batch.images))
        own = F.cross_entropy(logits, batch.labels, reduction="none")
        other = F.cross_entropy(logits, batch.labels[partner], reduction="none")
        return (share * own + (1 - share) * other).mean()
