"""The faces of one run on its device, and the batches of an epoch.

All that changes from step to step lies in tensors that keep their place in memory: ``begin`` and ``seek`` write
them, ``batch`` only reads them. So the same code runs eagerly and as a replayed CUDA graph.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fer_bench.engine.augment import augment_batch, draw_view, normalise
from fer_bench.engine.keyed import generator
from fer_bench.engine.pixels import Pixels, eval_batch, put
from fer_bench.errors import UserError, unknown
from fer_bench.method import Batch, Clock, Method
from fer_bench.protocols.prepare import Faces
from fer_bench.protocols.protocol import Recipe
from fer_bench.protocols.views import own_views

FIRST, SECOND = "0", "1"  # kinds of view by the recipe's augmentation alone


class TrainingData:
    """The training faces of one run: uint8 images and given labels on the device."""

    def __init__(self, faces: Faces, recipe: Recipe, seed: int, device: torch.device) -> None:
        self.recipe, self.seed, self.device, self.epoch = recipe, seed, device, 0
        self.images = Pixels(faces.images, device)
        self.labels = torch.from_numpy(faces.given.copy()).to(device)
        votes = np.zeros((len(faces), 0)) if faces.votes is None else faces.votes
        self.votes = torch.from_numpy(votes.astype(np.float32)).to(device)
        self.shows_votes = False
        self.order = torch.zeros(len(self.labels), dtype=torch.int64, device=device)
        self.start = torch.zeros((), dtype=torch.int64, device=device)
        self.places = torch.arange(recipe.batch_size, device=device)
        self.draws: dict[str, Tensor] = {}  # what the method drew, by place in the order
        self.recipes: dict[str, Recipe] = {}  # of the kinds of view that have augmentation of their own
        self.named: dict[str, tuple[str, bool]] = {}  # the method's own views: kind, and whether it mirrors the first
        self.views: dict[str, dict[str, Tensor]] = {}  # augmentation of each kind that was asked for, by place
        self.noise: dict[str, Tensor] = {}  # pixel noise of each kind, of one batch
        self.step = 0

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def steps(self) -> int:
        """Batches in an epoch; the last one may be smaller."""
        return -(-len(self) // self.recipe.batch_size)

    def size(self, step: int) -> int:
        """Faces in a batch."""
        return min(self.recipe.batch_size, len(self) - step * self.recipe.batch_size)

    def declare(self, views: dict[str, dict[str, Any]], votes: bool = False) -> None:
        """Take the views that a method has of its own, and whether it needs votes. Methods with a view of the same kind
        see the same draws. Raises UserError for votes that these faces have not."""
        if votes and not self.votes.shape[1]:
            raise UserError("the method needs annotators' votes, and these training faces have none")
        self.shows_votes = votes
        for name, recipe in own_views(views, self.recipe).items():
            changes = {key: value for key, value in views[name].items() if key != "mirror"}
            kind = FIRST if name == "first" else json.dumps(changes, sort_keys=True)
            while name != "first" and kind in self.recipes:  # a second view of the same kind has draws of its own
                kind += " again"
            self.recipes[kind] = recipe
            self.named[name] = kind, bool(views[name].get("mirror"))

    def begin(self, method: Method, epoch: int, clock: Clock) -> None:
        """Draw an epoch: a function of (seed, epoch) alone, the same for every method that has no order of its own."""
        self.epoch = epoch
        own = method.order(clock, generator("method-order", self.seed, epoch))
        if own is not None and own.shape != self.order.shape:
            raise ValueError(f"{type(method).__name__}.order gave {tuple(own.shape)} rows, expected ({len(self)},)")
        everyone = torch.randperm(len(self), generator=generator("order", self.seed, epoch))
        self.order.copy_(everyone if own is None else own)
        for view in self.views:
            self.draw_view(view)
        drawn = [method.draw(generator("method", self.seed, epoch, step), self.size(step))
                 for step in range(self.steps)]
        for name in drawn[0]:
            self.draws[name] = put(self.draws.get(name), torch.cat([d[name] for d in drawn]), self.device)

    def seek(self, step: int) -> None:
        """Go to a step of the epoch."""
        self.step = step
        self.start.fill_(step * self.recipe.batch_size)
        for view in self.noise:
            self.draw_noise(view)

    def batch(self, size: int) -> Batch:
        """The batch at the present step, which has ``size`` faces."""
        place = self.places[:size] + self.start
        index = self.order[place]
        draws = {name: value[place] for name, value in self.draws.items()}
        return Batch(self.view(FIRST, index, place), self.labels[index], index, draws,
                     lambda: self.view(SECOND, index, place),
                     lambda name: self.own_view(name, index, place), self.votes_of(index))

    def votes_of(self, index: Tensor) -> Tensor | None:
        """What the method may see of the votes of some rows, float32 [B, C]."""
        return self.votes[index] if self.shows_votes else None

    def own_view(self, name: str, index: Tensor, place: Tensor) -> Tensor:
        """One of the method's own views. Raises UserError for one that it does not declare."""
        if name not in self.named:
            raise unknown("view", name, self.named)
        kind, mirror = self.named[name]
        return self.view(kind, index, place, mirror)

    def view(self, view: str, index: Tensor, place: Tensor, mirror: bool = False) -> Tensor:
        """Augmented faces of ``index``, which stand at ``place`` in the order, float32 [B, C, S, S].

        mirror: as the mirror image of the first view.
        """
        recipe = self.recipes.get(view, self.recipe)
        if view not in self.views:
            self.draw_view(view)
        if recipe.augment.noise and view not in self.noise:
            self.noise[view] = torch.empty(self.recipe.batch_size, *self.images.shape, device=self.device)
            self.draw_noise(view)
        draws = self.at(place, view)
        noise = self.noise[view][: len(index)] if view in self.noise else None
        return augment_batch(self.images[index], draws, recipe, noise, self.at(place, FIRST) if mirror else None)

    def at(self, place: Tensor, view: str) -> dict[str, Tensor]:
        """A view's draws at some places of the order."""
        return {name: value[place] for name, value in self.views[view].items()}

    def draw_view(self, view: str) -> None:
        """The augmentation of every place of this epoch: a face that comes twice is augmented twice."""
        kept, recipe = self.views.setdefault(view, {}), self.recipes.get(view, self.recipe)
        for name, value in draw_view(recipe, len(self), self.seed, self.epoch, view).items():
            kept[name] = put(kept.get(name), value, self.device)

    def draw_noise(self, view: str) -> None:
        """The pixel noise of this step, drawn on the device: standard normal, float32 [B, H, W, C]."""
        rng = generator("pixel-noise", self.seed, self.epoch, view, self.step, device=self.device)
        self.noise[view][: self.size(self.step)].normal_(generator=rng)

    def sweep(self, method: Method) -> Callable[[Callable[[Tensor, Tensor], None]], None]:
        """What ``Method.begin_epoch`` gets: calls a function on the plain training faces, in evaluation mode."""

        def run(visit: Callable[[Tensor, Tensor], None]) -> None:
            method.eval()
            with torch.no_grad():
                everyone = torch.arange(len(self), device=self.device)
                for index in torch.split(everyone, sweep_batch(self.device, self.recipe.image_size)):
                    visit(normalise(self.images[index], self.recipe), index)
            method.train()

        return run


def sweep_batch(device: torch.device, size: int) -> int:
    """Faces in a batch of a sweep. A method may sum over batches, so another number is another version."""
    return 256 if device.type == "cpu" else eval_batch(device, size)


def make_clock(epochs: int, steps_per_epoch: int, device: torch.device) -> Clock:
    """A clock at step 0; ``set_clock`` moves it."""
    zero = torch.zeros((), dtype=torch.int64, device=device)
    return Clock(zero, zero.clone(), torch.zeros((), device=device), epochs, steps_per_epoch)


def set_clock(clock: Clock, step: int) -> None:
    """Move the clock to an optimiser step, counted over the whole run."""
    clock.step.fill_(step)
    clock.epoch.fill_(step // clock.steps_per_epoch)
    clock.progress.fill_(step / (clock.epochs * clock.steps_per_epoch))
