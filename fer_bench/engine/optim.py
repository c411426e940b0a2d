"""Optimiser and learning rate, both functions of the recipe alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from fer_bench.errors import UserError
from fer_bench.method import Method
from fer_bench.protocols.protocol import Recipe


def make_optimiser(method: Method, recipe: Recipe, device: torch.device,
                   recorded: bool = False) -> torch.optim.Optimizer:
    """The recipe's optimiser over the method's groups; each group keeps its own rate as ``base_lr``.

    On CUDA, and where steps are recorded, the rate is a tensor, so that a replayed step sees it change.
    Raises UserError for a recipe with a rate for classifiers where the method trains none.
    """
    cuda = device.type == "cuda"
    kind_of_rate = torch.float32 if cuda else torch.float64  # what the fused kernels read there
    groups = list(groups_of(method, recipe))
    for group in groups:
        if cuda or recorded:
            group["lr"] = torch.tensor(group["base_lr"], device=device, dtype=kind_of_rate)
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay,
                               fused=True)
    kind = torch.optim.Adam if recipe.optimiser == "adam" else torch.optim.AdamW
    return kind(groups, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True, capturable=cuda)


def groups_of(method: Method, recipe: Recipe) -> Iterator[dict[str, Any]]:
    """The method's groups with their rates, ``base_lr``; classifiers apart, as ``head``, where the recipe treats them
    otherwise than the rest."""
    apart = recipe.head_lr != 1 or recipe.head_milestones is not None
    heads = {id(p) for head in method.classifiers() for p in head.parameters()} if apart else set()
    found = False
    for group in method.param_groups(recipe.lr):
        given, rate = group["params"], group.get("lr", recipe.lr)
        parameters = [given] if isinstance(given, Tensor) else list(given)
        for head, share in ((False, 1.0), (True, recipe.head_lr)):
            if own := [p for p in parameters if (id(p) in heads) == head]:
                found |= head
                yield {**group, "params": own, "lr": rate * share, "base_lr": rate * share, "head": head}
    if apart and not found:
        raise UserError(f"{type(method).__name__} trains no classifier that it names (Method.classifiers): leave "
                        "head_lr and head_milestones out of its recipe")


def lr_factor(recipe: Recipe, step: int, steps_per_epoch: int, restarts: tuple[int, ...] = (),
              head: bool = False) -> float:
    """What the learning rate is multiplied by at a step, in closed form, so that a resumed run needs no history.

    restarts: epochs after the first with which the schedule begins anew (``Method.restarts``). head: of classifiers.
    """
    first = max((0, *(epoch for epoch in restarts if epoch * steps_per_epoch <= step)))
    last = min((recipe.epochs, *(epoch for epoch in restarts if epoch > first)))
    step, epochs = step - first * steps_per_epoch, last - first
    warmup = recipe.warmup_epochs * steps_per_epoch
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if recipe.schedule == "exponential":
        return float(recipe.gamma ** (step // steps_per_epoch))
    if recipe.schedule == "step":
        stones = recipe.head_milestones if head and recipe.head_milestones is not None else recipe.milestones or ()
        return [1.0, *(share for epoch, share in stones if epoch * steps_per_epoch <= step)][-1]
    if recipe.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (epochs * steps_per_epoch - warmup)))
    return 1.0


def set_lr(optimiser: torch.optim.Optimizer, factor: float, head: float | None = None) -> None:
    """Set every group's rate to its own base times the factor, in place where it is a tensor; ``head``: the factor of
    classifiers, where it is another."""
    for group in optimiser.param_groups:
        rate = group["base_lr"] * (head if group["head"] and head is not None else factor)
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def forget_moments(optimiser: torch.optim.Optimizer) -> None:
    """Start the optimiser anew: moments and step counts to zero, in place, since a recorded step may know them."""
    for values in optimiser.state.values():
        for value in values.values():
            if isinstance(value, Tensor):
                value.zero_()


def load_moments(optimiser: torch.optim.Optimizer, saved: dict[int, dict[str, Any]]) -> None:
    """Take the state of a checkpoint: in place if there is some, since a recorded step may know it by its address."""
    if not optimiser.state:  # copies, since torch would make the checkpoint's own tensors the optimiser's
        own = {index: {name: value.clone() if isinstance(value, Tensor) else value for name, value in values.items()}
               for index, values in saved.items()}
        optimiser.load_state_dict({"state": own, "param_groups": optimiser.state_dict()["param_groups"]})
        return
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    for index, values in saved.items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                optimiser.state[parameters[index]][name].copy_(value)
