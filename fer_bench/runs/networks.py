"""The networks of runs: built anew for each, from weights that are read once a process."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from fer_bench.data.pack import Pack
from fer_bench.engine.augment import normalise
from fer_bench.engine.pixels import as_tensor
from fer_bench.nets.backbone import backbone_maker
from fer_bench.protocols.protocol import Recipe
from fer_bench.runs.faces import cached_pack
from fer_bench.runs.plan import Plan
from fer_bench.weights.catalog import PACKAGES, file_of

FACES = 256  # that statistics of batch norms are taken over; another number is another version of the engine
KEPT = 2
_makers: dict[tuple[object, ...], Callable[[], nn.Module]] = {}


def network_maker(plan: Plan) -> Callable[[], nn.Module]:
    """The network builder of a run: the same for all runs of one recipe, dataset and weights."""
    recipe, request, dataset = plan.recipe, plan.request, plan.spec.content["dataset"]
    key = (recipe.backbone, recipe.image_size, recipe.mean, recipe.std, recipe.precision, plan.spec.content["weights"],
           dataset["fingerprint"])
    if key not in _makers:
        while len(_makers) >= KEPT:
            del _makers[next(iter(_makers))]
        pack = cached_pack(plan.dataset, request.root, request.cache, request.pack_size)
        named = PACKAGES.get(request.weights)
        _makers[key] = backbone_maker(
            recipe.backbone, len(recipe.mean), len(dataset["classes"]), recipe.precision == "bf16",
            str(file_of(request.weights, request.cache) or request.weights), named.content if named else "",
            lambda: some_faces(pack, recipe))
    return _makers[key]


def some_faces(pack: Pack, recipe: Recipe) -> Tensor:
    """Training faces evenly spaced in the dataset's own order, as they are predicted: float32 [N, C, S, S]. They depend
    on no protocol and no seed, so that all runs on a dataset start from the same network."""
    count = len(pack.train)
    rows = np.arange(min(FACES, count)) * count // min(FACES, count)
    return normalise(torch.tensor(as_tensor(pack.train.images[rows]).numpy()), recipe)
