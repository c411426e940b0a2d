"""What a run is made of: all that determines it, and its method built from the seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fer_bench.data.selection import Images
from fer_bench.engine.augment import normalise
from fer_bench.engine.keyed import key
from fer_bench.engine.pixels import as_tensor
from fer_bench.method import Context, Method
from fer_bench.protocols.prepare import Prepared
from fer_bench.protocols.protocol import Recipe

FACES = 256  # that a network without statistics gets them from


@dataclass(frozen=True)
class Inputs:
    """All that determines a run, resolved."""

    id: str
    method: type[Method]
    parameters: dict[str, Any]
    recipe: Recipe
    data: Prepared
    seed: int
    make_backbone: Callable[[], nn.Module]


def build_method(inputs: Inputs, labels: Tensor, steps: int) -> Method:
    """The method with weights drawn from the seed alone: its n-th backbone starts as every other method's n-th."""
    built = 0

    def backbone() -> nn.Module:
        nonlocal built
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(key("backbone", inputs.seed, built))
            built += 1
            return inputs.make_backbone()

    classes, faces = len(inputs.data.classes), inputs.data.train
    rate = float((faces.given != faces.true).mean()) if inputs.parameters.get("oracle_rate") else None
    context = Context(classes, labels.clone(), torch.bincount(labels, minlength=classes), inputs.recipe.epochs, steps,
                      backbone, (len(inputs.recipe.mean), inputs.recipe.image_size, inputs.recipe.image_size), rate)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(key("init", inputs.seed))
        return inputs.method(context, **inputs.parameters)


def faces_of_statistics(images: Images, recipe: Recipe) -> Tensor:
    """Training faces of a dataset, evenly spaced in its own order, as they are predicted: float32 [N, C, S, S]. They
    depend on no protocol and no seed, so that all runs on a dataset start from the same network."""
    count = min(FACES, len(images))
    return normalise(as_tensor(np.array(images[np.arange(count) * len(images) // count])), recipe)
