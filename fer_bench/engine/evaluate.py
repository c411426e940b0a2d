"""Logits of a fixed set of faces, in large batches, by the same ways of running as a training step."""

from __future__ import annotations

from collections.abc import Callable, Generator

import torch
from torch import Tensor

from fer_bench.engine.augment import normalise
from fer_bench.engine.capture import Step, Surroundings
from fer_bench.engine.lane import Runner
from fer_bench.engine.pixels import Pixels, eval_batch
from fer_bench.method import Method
from fer_bench.protocols.protocol import Recipe


class Evaluation:
    """A set of faces and a method; ``logits()`` predicts them, on plain images, in evaluation mode.

    runner: makes the function that is called for each batch from the plain one (``Lane.runner``).
    """

    def __init__(self, method: Method, images: Pixels, recipe: Recipe,
                 runner: Callable[[Step, Surroundings], Runner]) -> None:
        self.method, self.images, self.recipe = method, images, recipe
        device = images.stored.device
        self.batch = eval_batch(device, recipe.image_size)
        self.start = torch.zeros((), dtype=torch.int64, device=device)
        self.places = torch.arange(self.batch, device=device)
        self.run = runner(self.step, Surroundings(dict, lambda: nothing, self.elsewhere))

    def step(self, size: int) -> Tensor:
        """Logits of the ``size`` faces from ``start`` on, float32 [size, C]."""
        return self.method.predict(normalise(self.images[self.places[:size] + self.start], self.recipe)).float()

    def elsewhere(self, size: int) -> Generator[None, None, None]:
        """Go to other faces and back: where a recording is tried."""
        start, last = int(self.start), len(self.images) - size
        try:
            for other in (last, last // 2):
                self.start.fill_(other)
                yield
        finally:
            self.start.fill_(start)

    @torch.no_grad()
    def logits(self) -> Tensor:
        """Logits float32 [N, C] on the device; not waited for."""
        self.method.eval()
        parts = []
        for start in range(0, len(self.images), self.batch):
            self.start.fill_(start)
            parts.append(self.run(min(self.batch, len(self.images) - start)).clone())
        self.method.train()
        return torch.cat(parts)


def nothing() -> None:
    """Prediction changes no state: there is nothing to put back."""
