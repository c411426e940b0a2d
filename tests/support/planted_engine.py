"""Faults of the engine that only a CUDA device would show, and what is found when one is planted."""

from __future__ import annotations

import contextlib
from typing import Any
from unittest.mock import patch

import torch
from planted import FAULTS as METHODS
from planted import Ok

from fer_bench.engine import augment, data, optim, trainer
from fer_bench.fake.counts import Report
from fer_bench.fake.drive import drive
from fer_bench.nets.backbone import Backbone
from fer_bench.protocols.protocol import load_recipe

Fault = tuple[type, list[Any], str]  # the method, what stands in for parts of the engine, a word of the message


def autocast_of_cpu(self, images):
    with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
        return self.trunk.forward_features(images).float()


def clock_on_host(epochs, steps, device, make=data.make_clock):
    return make(epochs, steps, torch.device("cpu"))


def rates_of_double(method, recipe, device, recorded=False, make=optim.make_optimiser):
    made = make(method, recipe, device, recorded)
    for group in made.param_groups:
        group["lr"] = group["lr"].double()
    return made


def moments_in_rows(optimiser, saved, load=optim.load_moments):
    load(optimiser, saved)
    for values in optimiser.state.values():
        values["exp_avg"] = values["exp_avg"].contiguous()


def erase_from_host(images, box):
    place = torch.arange(images.shape[-1], dtype=torch.float32)
    return images.masked_fill((place >= box[:, :1])[:, None, None, :], 0)


FAULTS: dict[str, Fault] = {name: (method, [], word) for name, (method, word) in METHODS.items()} | {
    "autocast of the CPU": (Ok, [(Backbone, "features", autocast_of_cpu)], "the recipe says torch.bfloat16"),
    "clock on the host": (type("OfTheClock", (Ok,), {"loss": lambda self, batch, clock: Ok.loss(self, batch, clock)
                                                     * (1 + clock.progress)}),
                          [(trainer, "make_clock", clock_on_host)], "0-d CPU tensor"),
    "draws stay on the host": (type("Draws", (Ok,), {
        "draw": lambda self, generator, size: {"u": torch.rand(size, generator=generator)},
        "loss": lambda self, batch, clock: Ok.loss(self, batch, clock) * batch.draws["u"].mean()}),
        [(data, "put", lambda kept, value, device: value if kept is None else kept.copy_(value))], "CPU tensor"),
    "float64 learning rates": (Ok, [(trainer, "make_optimiser", rates_of_double)], "learning rate torch.float64"),
    "moments with other strides": (Ok, [(trainer, "load_moments", moments_in_rows)], "strides"),
    "constants made in every step": (Ok, [(augment, "constant", lambda v, device: torch.tensor(v, device=device))],
                                     "copy between host and device"),
    "erasing with a host tensor": (Ok, [(augment, "erase", erase_from_host)], "data: ge: a CPU tensor beside"),
}


def plant(name: str) -> Report:
    """What is found when a fault is planted; "" for none."""
    method, patches, _ = FAULTS.get(name, (Ok, [], ""))
    with contextlib.ExitStack() as block:
        for where, attribute, stand_in in patches:
            block.enter_context(patch.object(where, attribute, stand_in))
        return drive(method, {}, load_recipe("fer48", {"epochs": "3"}))


def ready() -> None:
    """Let torch remember what most operations give, for all children."""
    plant("")
