"""From what a user asked for to a list of runs, everything checked before the first of them starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_bench.data.pack import Pack
from fer_bench.errors import UserError, near
from fer_bench.library.methods import method_info, methods, resolve_parameters
from fer_bench.library.source import MethodInfo
from fer_bench.library.versions import ENGINE_VERSION
from fer_bench.protocols.protocol import Protocol, Recipe, default_recipe, load_recipe
from fer_bench.protocols.views import overridden, own_views
from fer_bench.runs.faces import identities, pack_of
from fer_bench.runs.further import FurtherTest, further_tests
from fer_bench.runs.request import Part, Request, load_protocols
from fer_bench.runs.spec import RunSpec, file_hash, make_spec
from fer_bench.weights import catalog


@dataclass(frozen=True)
class Plan:
    """One run, and where its inputs lie on this machine (which is no part of its identity)."""

    spec: RunSpec
    label: str
    method: MethodInfo
    protocol: Protocol
    recipe: Recipe
    part: Part
    request: Request
    further: tuple[FurtherTest, ...] = ()


def make_plans(request: Request, say: Callable[[str], None]) -> list[Plan]:
    """All runs of a request: seeds outermost, so that a part of the list is a fair comparison too."""
    infos = [method_info(name, request.plugins) for name in request.methods]
    for problem in methods(request.plugins)[1]:
        say(problem)
    parameters = {info.name: resolve_parameters(info, own_settings(info, infos, request.settings), request.track)
                  for info in infos}
    protocols = load_protocols(request)
    refuse_idle_settings(request, infos)
    parts = request.parts()
    recipes = {(info.name, name): choose_recipe(request, info, name)
               for info in infos for name in dict.fromkeys(part.dataset.info.name for part in parts)}
    weights, drawn = identify_weights(request.weights, request.cache), []
    for part in parts:
        content = dataset_identity(pack_of(request, part, request.seeds[0], say), part)
        drawn += [(part, protocol, content, identities(request, part, protocol, say),
                   {seed: further_tests(request, part, protocol, seed) for seed in request.seeds})
                  for protocol in protocols]
    plans = []
    for seed in request.seeds:
        for part, protocol, dataset, contents, tests in drawn:
            for info in infos:
                recipe = recipes[info.name, part.dataset.info.name]
                spec = make_spec(
                    method=info.name, parameters=parameters[info.name], protocol=contents[seed], dataset=dataset,
                    recipe=recipe.model_dump(mode="json", exclude={"title"}), weights=weights, track=request.track,
                    seed=seed, code={"method": info.version, "engine": ENGINE_VERSION})
                name = label(info, parameters[info.name], request.track)
                plans.append(Plan(spec, name, info, protocol, recipe, part, request, tests[seed]))
    return with_votes(plans, say)


def dataset_identity(pack: Pack, part: Part) -> dict[str, Any]:
    """What a run's identity says of its dataset."""
    fold = {"fold": [part.fold.number, part.fold.of]} if part.fold else {}
    return {"name": pack.name, "fingerprint": pack.fingerprint, "classes": list(pack.classes), **fold}


def refuse_idle_settings(request: Request, infos: list[MethodInfo]) -> None:
    """Raise UserError for a --set-recipe that changes no method, since each has an own value in all of its views."""
    for setting in request.recipe_settings:
        part, _, key = setting.partition(".")
        if part == "augment" and all(overridden(key, info.views) for info in infos):
            raise UserError(f"--set-recipe {setting}: it has no effect on {', '.join(info.name for info in infos)}, "
                            "whose views have their own; leave it out")


def choose_recipe(request: Request, info: MethodInfo, dataset: str) -> Recipe:
    """The recipe of a method on a dataset: the same for all methods, unless --track paper."""
    package = catalog.PACKAGES.get(request.weights)
    by_weights = package.recipe if package and request.track == "fair" else None
    name = request.recipe or by_weights or default_recipe(dataset, request.track)
    base: dict[str, Any] = info.paper_recipe if request.track == "paper" else {}
    recipe = load_recipe(name, request.recipe_settings, base)
    if package:
        refuse_strangers(package, recipe)
    try:
        own_views(info.views, recipe)
    except UserError as error:
        raise UserError(f"{info.file}: method '{info.name}': {error}") from None
    return recipe


def refuse_strangers(package: catalog.Package, recipe: Recipe) -> None:
    """Raise UserError for named weights under a recipe of another backbone, or that shows faces as they do not know
    them."""
    if recipe.backbone != package.name:
        raise UserError(f"--weights {package.name}: of backbone '{package.name}', found '{recipe.backbone}' in recipe "
                        f"{recipe.name}; take --recipe {package.recipe}, or other weights")
    own = load_recipe(package.recipe)
    for key in ("colour", "mean", "std"):
        if (found := getattr(recipe, key)) != (expected := getattr(own, key)):
            raise UserError(f"--weights {package.name}: trained on faces with {key} {expected}, found {found}; leave "
                            f"{key} to recipe {package.recipe}")


def own_settings(info: MethodInfo, infos: list[MethodInfo], settings: dict[str, str]) -> dict[str, str]:
    """The --set values that a method has. Raises UserError for one that none of the named methods has."""
    known = {name for other in infos for name in other.parameters}
    for name in settings:
        if name not in known:
            raise UserError(f"no method named has a hyper-parameter '{name}': {near(name, known)}")
    return {name: text for name, text in settings.items() if name in info.parameters}


def label(info: MethodInfo, parameters: dict[str, Any], track: str) -> str:
    """The method's name, and its hyper-parameters where they are not the track's defaults: "nla jsd=sum"."""
    changed = [f"{k}={v}" for k, v in parameters.items() if v != info.defaults(track)[k]]
    return " ".join([info.name, *changed])


def identify_weights(weights: str, cache: Path) -> str:
    """Named weights with what tells versions of that name, or the sha256 of a checkpoint file. Raises UserError."""
    path = catalog.file_of(weights, cache)
    return catalog.identity(weights) if path is None or weights in catalog.PACKAGES else file_hash(path)


def with_votes(plans: list[Plan], say: Callable[[str], None]) -> list[Plan]:
    """The plans whose method has the votes that it needs, and may see them; the others are said. Raises UserError when
    none is left."""
    reasons = [no_votes(plan) for plan in plans]
    lines: dict[str, list[str]] = {}
    for plan, reason in zip(plans, reasons, strict=True):
        if reason:
            lines.setdefault(reason, []).append(plan.method.name)
    said = [f"{', '.join(dict.fromkeys(names))} cannot run: {reason}" for reason, names in lines.items()]
    if reasons and all(reasons):
        raise UserError(" | ".join(said))
    for line in said:
        say(line)
    return [plan for plan, reason in zip(plans, reasons, strict=True) if not reason]


def no_votes(plan: Plan) -> str:
    """Why a method that needs votes gets none; "" for a plan in which nothing is in the way."""
    if not plan.method.needs_votes:
        return ""
    if plan.protocol.noise:
        return (f"no annotators' votes are given under protocol '{plan.protocol.name}', since they would tell which "
                "labels it changed; use one without noise, such as --protocol clean")
    if pack_of(plan.request, plan.part, plan.request.seeds[0]).train.votes is None:
        return (f"dataset '{plan.part.dataset.name}' has no annotators' votes; synthetic, ferplus7 and ferplus8 have: "
                "use --dataset synthetic")
    return ""
