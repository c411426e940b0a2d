"""Optimiser and learning rate, both functions of the recipe alone."""

from __future__ import annotations

import math
from typing import Any

import torch

from fer_bench.method import Method
from fer_bench.protocol import Recipe


def make_optimiser(method: Method, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser over the method's groups; each group keeps its own rate as ``base_lr``."""
    groups: list[dict[str, Any]] = method.param_groups(recipe.lr)
    for group in groups:
        group["base_lr"] = group.setdefault("lr", recipe.lr)
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay,
                               fused=True)
    kind = torch.optim.Adam if recipe.optimiser == "adam" else torch.optim.AdamW
    return kind(groups, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)


def lr_factor(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """What the learning rate is multiplied by at a step, in closed form, so that a resumed run needs no history."""
    warmup = recipe.warmup_epochs * steps_per_epoch
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if recipe.schedule == "exponential":
        return float(recipe.gamma ** (step // steps_per_epoch))
    if recipe.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (recipe.epochs * steps_per_epoch - warmup)))
    return 1.0


def set_lr(optimiser: torch.optim.Optimizer, factor: float) -> None:
    """Set every group's rate to its own base times the factor."""
    for group in optimiser.param_groups:
        group["lr"] = group["base_lr"] * factor
