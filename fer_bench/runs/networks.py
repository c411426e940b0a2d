"""The networks of runs: built anew for each, from weights that are read once a process."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from fer_bench.engine.inputs import faces_of_statistics
from fer_bench.nets.backbone import backbone_maker
from fer_bench.runs.faces import pack_of
from fer_bench.runs.plan import Plan
from fer_bench.weights.catalog import PACKAGES, file_of

KEPT = 2
_makers: dict[tuple[object, ...], Callable[[], nn.Module]] = {}


def network_maker(plan: Plan) -> Callable[[], nn.Module]:
    """The network builder of a run: the same for all runs of one recipe, dataset, classes and weights."""
    recipe, request, dataset = plan.recipe, plan.request, plan.spec.content["dataset"]
    classes = len(plan.protocol.classes or dataset["classes"])
    key = (recipe.backbone, recipe.image_size, recipe.mean, recipe.std, recipe.precision, plan.spec.content["weights"],
           dataset["fingerprint"], classes, plan.part.fold and (plan.part.fold, plan.spec.content["seed"]))
    if key not in _makers:
        while len(_makers) >= KEPT:
            del _makers[next(iter(_makers))]
        pack = pack_of(request, plan.part, plan.spec.content["seed"])
        named = PACKAGES.get(request.weights)
        _makers[key] = backbone_maker(
            recipe.backbone, len(recipe.mean), classes, recipe.precision == "bf16",
            str(file_of(request.weights, request.cache) or request.weights), named.content if named else "",
            lambda: faces_of_statistics(pack.train.images, recipe))
    return _makers[key]
