"""DISC (Li et al., CVPR 2023): a label is believed if both views of a face give it more than the face's own past does.

After each epoch, of the predictions p_w and p_s that each face had in it, in two views: the label is believed by a view
if p_y > h, h the view's moving average of max_c p_c over the epochs before (at first 1/N). Believed by both: clean; by
one: hard; by none, but max_c (p_w + p_s)_c / 2 > min((h_w + h_s) / 2 + sigma, .99): purified, its label is that class.
In the next epoch L = [sum over clean of CE + lam_h sum over hard of GCE (q .7), both views] / B + the mean loss of
mixup (lam ~ Beta(5, 5), at least .5) among clean, hard and purified faces, for each view apart. The first `start` of
the epochs is CE of both views (JackYFL/DISC algorithms/DISC.py:239-360, losses/loss_mixup.py:23-35 at a21e910; the
paper was not at hand).

`start` and `memory` are 20 of sixty epochs: the warm-up of its code for CIFAR, and the memory of h where it decays by
.95 an epoch (.99 for CIFAR with symmetric noise; lam_h .2 from 60 % on). A class that the warm-up did not teach is
never believed again: on skewed classes with fewer epochs of warm-up the rarest are lost. It was trained on no faces, so
track `paper` leaves the recipe as it is.

The strong view is the method's own: flip, reflected crop (28 of 224 px), RandAugment and a grey square of .15 of the
side (datasets/randaugment.py:184-258, 447-466). There RandAugment draws 2 of 16 changes with strengths of 1 to 9 of 10,
here 2 of 14 with 5. The weak view, there a flip and that crop, is the recipe's. There only the faces that are mixed go
through the network, here all of the batch do, and those that do not count move batch statistics alone.
"""

import math
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method, Sweep
from fer_bench.parts.small_loss import mean_over
from fer_bench.parts.teacher import decay_over
from fer_bench.registry import register


@register("disc", paper="Li et al., CVPR 2023", year=2023, family="noise", needs=("second view", "per-sample state"),
          passes=4, schedule_epochs=60, history=("a cutout of an odd side keeps it",))
class DISC(Method):
    views: ClassVar[dict[str, dict[str, Any]]] = {"strong": {
        "noise": 0.0, "crop": 0.125, "flip": 0.5, "randaugment": 2, "magnitude": 5.0, "cutout": 0.15, "shift": 0,
        "erase": 0.0}}
    given: Tensor  # int64 [N], the given labels
    found: Tensor  # float32 [N, 2, C], the last predictions of each face in both views
    past: Tensor  # float32 [N, 2], h of both views
    label: Tensor  # int64 [N], what mixup learns
    kind: Tensor  # int64 [N]: 3 clean, 2 hard, 1 purified, 0 none of them
    def __init__(
        self, context: Context, *, start: float = 0.3333333333333333, memory: float = 0.3333333333333333,
        sigma: float = 0.5, lam_h: float = 1.0, q: float = 0.7, alpha: float = 5.0,
    ) -> None:
        super().__init__(context)
        self.first, self.decay = max(1, math.ceil(start * context.epochs - 1e-6)), decay_over(memory, context.epochs)
        self.sigma, self.lam_h, self.q, self.alpha, self.warm = sigma, lam_h, q, alpha, True
        self.register_buffer("given", context.labels.clone())
        onehot = F.one_hot(context.labels, context.num_classes).to(torch.get_default_dtype())  # until a face was seen
        self.register_buffer("found", torch.stack([onehot, onehot], 1))
        self.register_buffer("past", torch.full((context.num_samples, 2), 1 / context.num_samples))
        self.register_buffer("label", context.labels.clone())
        self.register_buffer("kind", torch.zeros(context.num_samples, dtype=torch.int64))

    def begin_epoch(self, clock: Clock, sweep: Sweep) -> None:
        self.warm = int(clock.epoch) < self.first
        if int(clock.epoch) > 0:
            self.sort()

    def sort(self) -> None:
        """Kinds and labels of all faces from what was found in the epoch before."""
        label = self.given[:, None, None].expand(-1, 2, 1)
        believed = (self.found.gather(2, label).squeeze(2) > self.past).sum(1)
        sure, best = self.found.mean(1).max(1)
        purified = (believed == 0) & (sure > (self.past.mean(1) + self.sigma).clamp(max=0.99))
        self.kind.copy_(torch.where(believed > 0, believed + 1, purified.long()))
        self.label.copy_(torch.where(purified, best, self.given))
        self.past.lerp_(self.found.amax(2), 1 - self.decay)

    def draw(self, generator: torch.Generator, size: int) -> dict[str, Tensor]:
        rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
        shares = torch.tensor(rng.beta(self.alpha, self.alpha, 2)).to(torch.get_default_dtype())
        return {"share": torch.maximum(shares, 1 - shares).repeat(size, 1),
                "place": torch.rand(size, 4, generator=generator)}

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        views = [batch.images, batch.view("strong")]
        logits = self.net(torch.cat(views)).chunk(2)
        self.found.index_copy_(0, batch.index, torch.stack([z.detach().softmax(1) for z in logits], 1))
        losses = torch.stack([F.cross_entropy(z, batch.labels, reduction="none") for z in logits]).sum(0)
        kind = self.kind[batch.index]
        batch.log(weight=torch.ones_like(losses) if self.warm else kind * (kind > 1) / 3)
        if self.warm:
            return losses.mean()
        chances = [z.softmax(1).gather(1, batch.labels[:, None]).squeeze(1).clamp(min=1e-7) for z in logits]
        robust = torch.stack([(1 - p**self.q) / self.q for p in chances]).sum(0)
        loss = ((kind == 3) * losses + self.lam_h * (kind == 2) * robust).mean()
        return loss + sum(self.mixed(batch, view, kind > 0, k) for k, view in enumerate(views))

    def mixed(self, batch: Batch, images: Tensor, chosen: Tensor, k: int) -> Tensor:
        """The loss of mixup among the chosen faces, bool [B], of view k."""
        # of two random orders with the chosen ones first, one is matched with the other
        one, other = (batch.draws["place"][:, 2 * k:2 * k + 2] + (~chosen)[:, None]).argsort(dim=0, stable=True).T
        partner, share = torch.empty_like(one).index_copy_(0, one, other), batch.draws["share"][:, k]
        weight, labels = share[:, None, None, None], self.label[batch.index]
        logits = self.net(weight * images + (1 - weight) * images[partner])
        losses = [F.cross_entropy(logits, target, reduction="none") for target in (labels, labels[partner])]
        return mean_over(share * losses[0] + (1 - share) * losses[1], chosen)
