"""DivideMix (Li et al., ICLR 2020): faces with large losses lose their labels; the rest is semi-supervised learning.

Before each epoch a mixture of two Gaussians over a network's losses gives w_i, the chance that a label is right; the
networks use each other's. Faces with w > threshold keep w y + (1 - w) p, p their own mean prediction of two views;
the others get both networks' mean prediction; both are sharpened (power 1/T) and mixed up over all faces and views
(lam >= .5). L = CE on the first kind + lambda_u(epoch) squared error on the second + sum_c log(pi_c / mean p_c) pi_c,
pi uniform. Predicts with the mean of both networks' logits.

Differences from LiJunnan1992/DivideMix Train_cifar.py at d9d3058: one batch holds both kinds (there: a batch of each,
so ours keep their shares); both networks learn in the same step, with the same lam but a permutation each; there the
peer guesses in evaluation mode, by its running statistics, and each view has its own pass, here both networks guess in
training mode with both views in one batch; warm-up is cross-entropy on two views, without the confidence penalty for
asymmetric noise; warm-up and the ramp of lambda_u are shares of the epochs, 10 and about 16 of sixty. The mixture
there is scikit-learn's, max_iter 10, tol .01, from a k-means start; ours takes 50 steps from the extremes, and may
decide otherwise for a few faces. At a noise rate of .9 the code averages the losses of five
epochs; ours never does.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method, Sweep
from fer_bench.parts.mixture import gaussian_low, scaled
from fer_bench.parts.small_loss import mean_over
from fer_bench.registry import register


@register("dividemix", paper="Li et al., ICLR 2020", year=2020, family="noise",
          needs=("second view", "2 networks", "per-sample state", "sweeps"), passes=8, schedule_epochs=60)
class DivideMix(Method):
    given: Tensor  # int64 [N], the given labels
    clean: Tensor  # float32 [N, 2], the chance that a label is right, by each network

    def __init__(
        self, context: Context, *, threshold: float = 0.5, temperature: float = 0.5, alpha: float = 4.0,
        lambda_u: float = 25.0, warmup: float = 0.16, ramp: float = 0.27,
    ) -> None:
        super().__init__(context)
        self.peer = context.backbone()
        self.register_buffer("given", context.labels.clone())
        self.register_buffer("clean", torch.ones(context.num_samples, 2))
        self.threshold, self.temperature, self.alpha, self.lambda_u = threshold, temperature, alpha, lambda_u
        self.first, self.ramp = math.ceil(warmup * context.epochs - 1e-6), ramp  # first: epoch after the warm-up

    @property
    def nets(self) -> tuple[Any, Any]:
        return self.net, self.peer

    def begin_epoch(self, clock: Clock, sweep: Sweep) -> None:
        if int(clock.epoch) < self.first:
            return
        losses = torch.zeros_like(self.clean)

        def visit(images: Tensor, index: Tensor) -> None:
            for k, net in enumerate(self.nets):
                losses[index, k] = F.cross_entropy(net(images), self.given[index], reduction="none")

        sweep(visit)
        for k in range(2):
            self.clean[:, k] = gaussian_low(scaled(losses[:, k]))

    def draw(self, generator: torch.Generator, size: int) -> dict[str, Tensor]:
        seed = int(torch.randint(2**62, (), generator=generator))
        share = np.random.default_rng(seed).beta(self.alpha, self.alpha)
        partner = torch.stack([torch.randperm(2 * size, generator=generator) for _ in range(2)], 1)
        return {"share": torch.full((size,), max(share, 1 - share)), "partner": partner.view(size, 4)}

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        views = torch.cat([batch.images, batch.second_view()])
        warm = clock.epoch < self.first
        with torch.no_grad():
            means = [sum(p.chunk(2)) / 2 for p in (net(views).softmax(1) for net in self.nets)]
        clean = self.clean[batch.index]
        batch.log(weight=clean.mean(1))
        share = torch.where(warm, torch.ones_like(clean[:, 0]), batch.draws["share"]).repeat(2)
        partners, weight = batch.draws["partner"].reshape(-1, 2), share[:, None, None, None]
        losses = []
        for k, net in enumerate(self.nets):
            target, labelled = self.targets(k, batch.labels, means, clean[:, 1 - k], warm)
            partner, target = partners[:, k], target.repeat(2, 1)
            logits = net(weight * views + (1 - weight) * views[partner])
            mixed = share[:, None] * target + (1 - share[:, None]) * target[partner]
            losses.append(self.one_loss(logits, mixed, labelled.repeat(2), clock, warm))
        return losses[0] + losses[1]

    def targets(self, k: int, labels: Tensor, means: list[Tensor], clean: Tensor,
                warm: Tensor) -> tuple[Tensor, Tensor]:
        """What network k learns, [B, C], and which faces keep their labels, bool [B].

        means: both networks' predictions, [B, C] each. clean: the chance that a label is right, by the peer, [B].
        """
        labelled = (clean > self.threshold) | warm
        onehot = F.one_hot(labels, means[0].shape[1]).to(clean.dtype)
        refined = clean[:, None] * onehot + (1 - clean[:, None]) * means[k]
        sharp = torch.where(labelled[:, None], refined, (means[0] + means[1]) / 2) ** (1 / self.temperature)
        return torch.where(warm, onehot, sharp / sharp.sum(1, keepdim=True)), labelled

    def one_loss(self, logits: Tensor, mixed: Tensor, labelled: Tensor, clock: Clock, warm: Tensor) -> Tensor:
        """The loss of one network, of its logits for mixed views and of their mixed targets, [2B, C] each."""
        right = mean_over(-(mixed * logits.log_softmax(1)).sum(1), labelled)
        near = mean_over((logits.softmax(1) - mixed).square().mean(1), ~labelled)
        # the ramp counts parts of epochs, as in the code
        since = (clock.step / clock.steps_per_epoch - self.first) / max(self.ramp * clock.epochs, 1e-9)
        even = -(logits.softmax(1).mean(0).clamp(min=1e-12) * logits.shape[1]).log().mean()
        return right + self.lambda_u * since.clamp(0, 1) * near + torch.where(warm, torch.zeros_like(even), even)

    def predict(self, images: Tensor) -> Tensor:
        logits: Tensor = (self.net(images) + self.peer(images)) / 2
        return logits
