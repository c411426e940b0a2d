"""What each precision costs on this machine, measured with real training steps in a few seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fer_bench.doctor.section import Section, first_line
from fer_bench.errors import UserError
from fer_bench.protocols.protocol import Recipe, load_recipe, recipe_names

ROUNDS = 4  # precisions take turns and the best window counts, since others only slow one down
EQUAL = 1.1  # ratios nearer to 1 than this are noise, and not worth another run id


def section(device: Any) -> Section:
    """Measure, and say what it means."""
    found = Section("what precision costs here", columns=("network", "precision", "images/s", "x fp32"))
    for recipe in networks(device):
        network = f"{recipe.backbone}, {recipe.image_size} px, batch {recipe.batch_size}"
        print(f"measuring {network} on {device} ...", file=sys.stderr, flush=True)
        try:
            rates = compare(recipe, device)
        except RuntimeError as error:  # out of memory, too
            found.broken.append(f"a network does not train on {device} ({first_line(error)}): see whether another "
                                "process fills it, or try --device cpu")
            break
        found.rows += [(network, p, f"{rate:.0f}", f"{rate / rates['fp32']:.2f}") for p, rate in rates.items()]
        found.notes += advice(recipe.backbone, rates)
    return found


def rates(cache: Path) -> Section:
    """Measure what the estimates of ``--dry-run`` need to know of this processor, and keep it in the cache."""
    from fer_bench.estimate.calibrate import calibrate

    found = Section("what this processor takes, for the times that --dry-run tells",
                    columns=("precision", "us a launch", "GFLOP/s", "GB/s"))
    try:
        rates = calibrate(cache, lambda line: print(line, file=sys.stderr, flush=True))
    except (UserError, OSError, RuntimeError) as error:
        found.notes.append(f"not measured, so --dry-run tells no times here ({first_line(error)})")
        return found
    for precision, rate in rates.items():
        found.rows.append((precision, f"{1e6 * rate.launch:.0f}", *(f"{1e-9 / each:.0f}" if each else "-"
                                                                     for each in (rate.flop, rate.byte))))
    found.notes.append("fitted to counts of a pretended GPU on one thread; kept in the cache folder")
    return found


def networks(device: Any) -> tuple[Recipe, ...]:
    """A small and a large network as the recipes train them; on a processor the large one at 64 px, to be quick.
    On a GPU so small a step would be the time of its launches."""
    return load_recipe("quick"), load_recipe("paper", {"image_size": "64"} if device.type == "cpu" else None)


def compare(recipe: Recipe, device: Any, seconds: float = 1.0) -> dict[str, float]:
    """Images/s of one network in every precision, about ``seconds`` for each; slow steps end it early."""
    from fer_bench.engine.device import settle

    steps: dict[str, Callable[[], None]] = {}
    for precision in ("fp32", "tf32", "bf16") if device.type == "cuda" else ("fp32", "bf16"):
        settle(device, recipe.threads, precision)
        steps[precision] = training_step(recipe, precision, device)
        window(steps[precision], device, 0)  # warms up
    rates, start = dict.fromkeys(steps, 0.0), time.perf_counter()
    for _ in range(ROUNDS):
        for precision, step in steps.items():
            settle(device, recipe.threads, precision)
            rates[precision] = max(rates[precision], recipe.batch_size * window(step, device, seconds / ROUNDS))
        if time.perf_counter() - start > 1.5 * seconds * len(steps):
            break
    return rates


def window(step: Callable[[], None], device: Any, seconds: float) -> float:
    """Steps/s over some seconds, and two steps at least."""
    import torch

    done, start = 0, time.perf_counter()
    while not done or time.perf_counter() - start < seconds:
        for _ in range(20 if device.type == "cuda" else 2):  # a GPU works behind; waiting for it seldom costs little
            step()
            done += 1
        torch.get_device_module(device).synchronize(device)
    return done / (time.perf_counter() - start)


def training_step(recipe: Recipe, precision: str, device: Any) -> Callable[[], None]:
    """A step of cross-entropy on a batch of noise, with a run's network, memory layout and optimiser."""
    import torch
    from torch.nn import functional as F

    from fer_bench.engine.optim import make_optimiser
    from fer_bench.method import Context, Method
    from fer_bench.nets.backbone import backbone_maker

    channels, labels = len(recipe.mean), torch.arange(recipe.batch_size) % 7
    make = backbone_maker(recipe.backbone, channels, 7, precision == "bf16", "none")
    method = Method(Context(7, labels, torch.bincount(labels, minlength=7), 1, 1, make))
    method = method.to(device).to(memory_format=torch.channels_last).train()
    images = torch.randn(recipe.batch_size, channels, recipe.image_size, recipe.image_size, device=device)
    images, labels = images.to(memory_format=torch.channels_last), labels.to(device)
    optimiser = make_optimiser(method, recipe, device)

    def step() -> None:
        loss = F.cross_entropy(method.predict(images), labels)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    return step


def advice(backbone: str, rates: dict[str, float]) -> list[str]:
    """What measured rates mean for the recipes whose network is of the same kind, slim or not."""
    from fer_bench.nets.slim import WIDTHS

    found, best = [], max(rates, key=lambda precision: rates[precision])
    for recipe in map(load_recipe, recipe_names()):
        if (recipe.backbone in WIDTHS) == (backbone in WIDTHS) and recipe.precision in rates:
            gain = rates[best] / rates[recipe.precision]
            found.append(f"recipe {recipe.name}: --precision {best} is {gain:.2f} x its {recipe.precision} here, but "
                         "gives another run id: precision is part of a run's identity" if gain >= EQUAL else
                         f"recipe {recipe.name}: no precision is clearly faster than its {recipe.precision} here")
    return found
