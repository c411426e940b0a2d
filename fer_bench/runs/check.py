"""What is tried before the first run starts: methods are imported, networks built and sent an image, and methods built
with the hyper-parameters that a user set."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from fer_bench.errors import UserError
from fer_bench.library.methods import load_class
from fer_bench.method import Context
from fer_bench.protocols.protocol import Recipe
from fer_bench.runs.networks import network_maker
from fer_bench.runs.plan import Plan


def loadable(plans: list[Plan], say: Callable[[str], None]) -> list[Plan]:
    """The plans whose method can be imported; the others are said. Raises UserError when none is left."""
    broken: dict[str, str] = {}
    for plan in {p.method.name: p for p in plans}.values():
        try:
            cls = load_class(plan.method)
            if not (isinstance(cls, type) and issubclass(cls, nn.Module) and hasattr(cls, "loss")):
                raise UserError(f"{plan.method.file}: {plan.method.class_name} is no Method; derive it from "
                                "fer_bench.method.Method and give it a loss")
        except UserError as error:
            broken[plan.method.name] = " ".join(str(error).split())
    usable = [plan for plan in plans if plan.method.name not in broken]
    if not usable:
        raise UserError(" | ".join(broken.values()))
    for line in broken.values():
        say(f"error: {line}")
    return usable


def check_networks(plans: list[Plan]) -> None:
    """Build every network, with its checkpoint, once before the first run. Raises UserError."""
    warnings.filterwarnings("ignore", category=UserWarning, module="torch.serialization")
    for plan in {(p.recipe.backbone, p.recipe.colour): p for p in plans}.values():
        try_network(plan.recipe, network_maker(plan))


def try_network(recipe: Recipe, make: Callable[[], Any]) -> None:
    """Send one black image through a network. Raises UserError when it cannot read it or gives no maps."""
    size, channels = recipe.image_size, 1 if recipe.colour == "grey" else 3
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        try:
            shape = tuple(make().eval().features(torch.zeros(1, channels, size, size)).shape)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).split("\n")[0][:100]
            raise UserError(f"backbone '{recipe.backbone}' cannot read images of {size} pixels ({reason}); choose "
                            "another with --set-recipe backbone=NAME") from None
    if len(shape) != 4:
        raise UserError(f"backbone '{recipe.backbone}' gives features of shape {shape}, expected maps [B, D, h, w]; "
                        "choose a convolutional network")


def check_parameters(plans: list[Plan]) -> None:
    """Build each method whose hyper-parameters are not its defaults once, as a run would. Raises UserError with what
    its ``__init__`` says of a value that cannot be (ValueError)."""
    changed = {(p.label, p.recipe.backbone): p for p in plans if p.label != p.method.name}
    for plan in changed.values():
        recipe, values = plan.recipe, plan.spec.content["method"]["parameters"]
        classes = len(plan.protocol.classes or plan.spec.content["dataset"]["classes"])
        shape = (len(recipe.mean), recipe.image_size, recipe.image_size)
        labels, rate = torch.arange(classes), 0.0 if values.get("oracle_rate") else None
        with torch.random.fork_rng(devices=[]):
            try:
                load_class(plan.method)(Context(classes, labels, torch.ones_like(labels), recipe.epochs, 1,
                                                network_maker(plan), shape,
                                                rate), **values)
            except ValueError as error:
                raise UserError(f"method '{plan.method.name}': {error}") from None
