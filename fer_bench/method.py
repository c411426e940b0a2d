"""All that a training method may see and must give. Read this first: a method is one class with one ``loss``.

Rules that hold for every method, so that one ``loss`` runs eagerly, compiled, or replayed from a CUDA graph:
never branch in Python on a tensor and never read one back (use ``torch.where``, ``clamp``, masks); draw all
randomness in ``draw``; keep per-sample state in buffers indexed by ``batch.index`` and change them in place; make no
tensor from Python numbers in a step (``torch.tensor``): register it as a buffer.
Out of reach on purpose: test images, test labels, true labels, the optimiser, the order of the data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

# What a method may need beyond a batch and one network, as ``register(needs=...)`` declares it
NEEDS = ("second view", "2 networks", "3 networks", "per-sample state", "sweeps", "own order", "noise rate", "votes")
Sweep = Callable[[Callable[[Tensor, Tensor], None]], None]


@dataclass(frozen=True)
class Clock:
    """Where training stands. The tensors are 0-d, on the run's device, and change in place.

    step: int64, optimiser steps taken so far. epoch: int64, from 0. progress: float32 in [0, 1), step / all steps.
    """

    step: Tensor
    epoch: Tensor
    progress: Tensor
    epochs: int
    steps_per_epoch: int


class Batch:
    """One mini-batch of augmented training faces.

    images: float32 [B, 3 or 1, S, S], normalised. labels: int64 [B], as given (maybe wrong).
    index: int64 [B], row of each face in the training set. draws: what ``Method.draw`` returned for this step.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        index: Tensor,
        draws: dict[str, Tensor],
        second_view: Callable[[], Tensor],
        view: Callable[[str], Tensor] | None = None,
        votes: Tensor | None = None,
    ) -> None:
        self.images, self.labels, self.index, self.draws = images, labels, index, draws
        self.logged: dict[str, Tensor] = {}
        self._second_view, self._view, self._votes = second_view, view, votes

    @property
    def votes(self) -> Tensor:
        """The annotators' votes of each face, as cast, float32 [B, C]; a face may have none. Only for a method that
        declares ``needs_votes``: they may tell what a label should have been."""
        assert self._votes is not None, "batch.votes: only for a method that has needs_votes = True"
        return self._votes

    def second_view(self) -> Tensor:
        """An independent augmentation of the same faces, as the recipe has it, float32 [B, 3 or 1, S, S]."""
        return self._second_view()

    def view(self, name: str) -> Tensor:
        """One of the views that ``Method.views`` declares, of the same faces, float32 [B, 3 or 1, S, S]."""
        assert self._view is not None
        return self._view(name)

    def log(self, **values: Tensor) -> None:
        """Hand per-sample numbers [B] to the harness, e.g. ``weight=w``; they never influence training."""
        self.logged.update({name: value.detach() for name, value in values.items()})


@dataclass(frozen=True)
class Context:
    """What a method is told when it is built.

    labels: int64 [N], the given labels of the training set (a copy). class_counts: int64 [C], counts of them.
    image_shape: channels, height and width of the images that ``loss`` gets.
    noise_rate: the true share of wrong labels, told only to a method whose hyper-parameter ``oracle_rate`` is true.
    """

    num_classes: int
    labels: Tensor
    class_counts: Tensor
    epochs: int
    steps_per_epoch: int
    make_backbone: Callable[[], nn.Module]
    image_shape: tuple[int, int, int] = (3, 224, 224)
    noise_rate: float | None = None

    @property
    def num_samples(self) -> int:
        """N, the number of training faces."""
        return len(self.labels)

    def map_shape(self, net: Any) -> tuple[int, int, int]:
        """D, h and w of a network's feature maps of the run's images."""
        with torch.no_grad():
            maps = net.eval().features(torch.zeros(1, *self.image_shape, device=next(net.parameters()).device))
        net.train()
        return tuple(maps.shape[1:])

    def backbone(self) -> Any:
        """A fresh network (``nets.Backbone``): ``net(images)`` [B, C], ``net.embed(images)`` [B, D],
        ``net.features(images)`` [B, D, h, w], ``net.head`` Linear(D, C), ``net.dim`` D.

        The n-th call of a run starts from the same weights for every method of that seed.
        """
        return self.make_backbone()


class Method(nn.Module):
    """One training method: its networks, heads and per-sample state, all in its ``state_dict``.

    Hyper-parameters are the typed keyword defaults of ``__init__``; they are literals, because the registry reads
    them from the source without running it.
    """

    # Augmentation that defines the method, beyond the recipe's, which all methods share: by view, the keys of `augment`
    # that are other there. "first" is what ``batch.images`` shows; another is ``batch.view(name)``, with draws of its
    # own, or with "mirror": True the mirror image of the first, moved alike. A literal.
    views: ClassVar[dict[str, dict[str, Any]]] = {}
    # How its authors train it, literals all, for --track paper alone: keys of the recipe, hyper-parameters that are not
    # the defaults, and where each of them stands ("file:line", or "ours: why"); several keys may share a source. The
    # further sources "code" (what the files are of), "weights" and "left out" (what no key can say) are for people.
    paper_recipe: ClassVar[dict[str, Any]] = {}
    paper_parameters: ClassVar[dict[str, Any]] = {}
    paper_sources: ClassVar[dict[str, str]] = {}
    needs_votes: ClassVar[bool] = False  # whether there is ``batch.votes``; then no protocol may change the labels
    not_capturable: ClassVar[str] = ""  # why a step of it cannot be replayed as a CUDA graph, if it cannot

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.net = context.backbone()

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        """The scalar to minimise for this batch. The only thing that must be written."""
        raise NotImplementedError

    def predict(self, images: Tensor) -> Tensor:
        """Logits [B, C] of normalised images [B, 3 or 1, S, S]; a face's logits may not depend on the others."""
        logits: Tensor = self.net(images)
        return logits

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """Groups for the optimiser, each with its own ``lr``; the harness multiplies them by the schedule."""
        return [{"params": [p for p in self.parameters() if p.requires_grad], "lr": lr}]

    def classifiers(self) -> list[nn.Module]:
        """Those for which a recipe may have a rate of its own (``head_lr``): the networks' heads; a method that has
        others names them here, too."""
        networks: list[Any] = [module for module in self.modules() if hasattr(module, "trunk")]
        return [network.head for network in networks]

    def restarts(self) -> tuple[int, ...]:
        """Epochs after the first, ascending, with which a new stage begins: the optimiser forgets its moments, and the
        recipe's schedule runs from its start to its end once more, over the epochs of that stage."""
        return ()

    def begin_epoch(self, clock: Clock, sweep: Sweep) -> None:
        """Called before each epoch; ``sweep(fn)`` calls ``fn(images, index)`` over the plain training faces,
        in evaluation mode. No part of a step: the clock may be read here and in ``order``."""

    def order(self, clock: Clock, generator: torch.Generator) -> Tensor | None:
        """Which faces the coming epoch visits: int64 [N] on the CPU, rows of the training set, repeats allowed; a
        function of the clock and the generator. None: each face once, in an order that all methods of a seed share."""
        return None

    def after_step(self, clock: Clock) -> None:
        """Called after each optimiser step, without gradients: moving averages and the like."""

    def draw(self, generator: torch.Generator, size: int) -> dict[str, Tensor]:
        """All randomness of one step of ``size`` faces, as CPU tensors; found again in ``batch.draws``."""
        return {}
