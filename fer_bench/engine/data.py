"""The faces of one run on its device, and the batches of an epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from fer_bench.engine.augment import augment_batch, draw_view, normalise
from fer_bench.engine.keyed import generator
from fer_bench.method import Batch, Clock, Method
from fer_bench.prepare import Faces
from fer_bench.protocol import Recipe

EVAL_BATCH = 256


def pixels(images: np.ndarray) -> Tensor:
    """uint8 [N, H, W] or [N, H, W, 3] as a tensor [N, H, W, C]."""
    tensor = torch.from_numpy(np.array(images))
    return tensor.unsqueeze(-1) if tensor.ndim == 3 else tensor


class TrainingData:
    """The training faces of one run: uint8 images and given labels on the device."""

    def __init__(self, faces: Faces, recipe: Recipe, seed: int, device: torch.device) -> None:
        self.recipe, self.seed, self.device = recipe, seed, device
        self.images = pixels(faces.images).to(device)
        self.labels = torch.from_numpy(faces.given.copy()).to(device)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def steps(self) -> int:
        """Batches in an epoch; the last one may be smaller."""
        return -(-len(self) // self.recipe.batch_size)

    def batches(self, method: Method, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch: a function of (seed, epoch) alone, the same for every method."""
        order = torch.randperm(len(self), generator=generator("order", self.seed, epoch)).to(self.device)
        views: dict[int, dict[str, Tensor]] = {}
        for step, index in enumerate(torch.split(order, self.recipe.batch_size)):
            draws = method.draw(generator("method", self.seed, epoch, step), len(index))
            yield Batch(
                self.view(views, 0, epoch, step, index),
                self.labels[index],
                index,
                {name: value.to(self.device) for name, value in draws.items()},
                lambda step=step, index=index: self.view(views, 1, epoch, step, index),  # type: ignore[misc]
            )

    def view(self, views: dict[int, dict[str, Tensor]], view: int, epoch: int, step: int, index: Tensor) -> Tensor:
        """Augmented faces of ``index``, float32 [B, C, S, S]; ``views`` keeps the epoch's draws of each view."""
        if view not in views:
            drawn = draw_view(self.recipe, len(self), self.seed, epoch, view)
            views[view] = {name: value.to(self.device) for name, value in drawn.items()}
        draws = {name: value[index] for name, value in views[view].items()}
        noise = generator("pixel-noise", self.seed, epoch, view, step, device=self.device)
        return augment_batch(self.images[index], draws, self.recipe, noise)

    def sweep(self, method: Method) -> Callable[[Callable[[Tensor, Tensor], None]], None]:
        """What ``Method.begin_epoch`` gets: calls a function on the plain training faces, in evaluation mode."""

        def run(visit: Callable[[Tensor, Tensor], None]) -> None:
            method.eval()
            with torch.no_grad():
                for index in torch.split(torch.arange(len(self), device=self.device), EVAL_BATCH):
                    visit(normalise(self.images[index], self.recipe), index)
            method.train()

        return run


def predict(method: Method, images: Tensor, recipe: Recipe) -> np.ndarray:
    """Logits float32 [N, C] of stored images uint8 [N, H, W, C], in evaluation mode."""
    method.eval()
    with torch.no_grad():
        parts = [method.predict(normalise(batch, recipe)).float().cpu() for batch in torch.split(images, EVAL_BATCH)]
    method.train()
    return torch.cat(parts).numpy()


def make_clock(epochs: int, steps_per_epoch: int, device: torch.device) -> Clock:
    """A clock at step 0; ``set_clock`` moves it."""
    zero = torch.zeros((), dtype=torch.int64, device=device)
    return Clock(zero, zero.clone(), torch.zeros((), device=device), epochs, steps_per_epoch)


def set_clock(clock: Clock, step: int) -> None:
    """Move the clock to an optimiser step, counted over the whole run."""
    clock.step.fill_(step)
    clock.epoch.fill_(step // clock.steps_per_epoch)
    clock.progress.fill_(step / (clock.epochs * clock.steps_per_epoch))
