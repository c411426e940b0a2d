"""Hand planned runs to workers, show how they go on, and count how they ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from fer_bench.runs.faces import cached_pack
from fer_bench.runs.plan import Plan
from fer_bench.runs.settings import Settings, resolve

Say = Callable[[str], None]


def execute(plans: list[Plan], settings: Settings, retry: bool, say: Say) -> Counter[str]:
    """Hand the plans to workers and show their progress; returns how many ended in which way."""
    from rich.console import Console

    from fer_bench.runs.check import check_networks, check_parameters, loadable
    from fer_bench.runs.dispatch import run_plans, stop_on_terminate
    from fer_bench.runs.progress import Display

    usable = loadable(plans, say)
    settings = resolve(settings, usable)
    check_networks(usable)
    check_parameters(usable)
    for plan in usable if retry else ():
        settings.store.clear_error(plan.spec.id)
    notes = [note for p in usable for note in (*pack_notes(p), *device_notes(p, settings, len(usable)))]
    for note in dict.fromkeys(notes):
        say(note)
    display = Display(len(usable), Console(stderr=True))
    stop_on_terminate()
    with display.shown():
        run_plans(usable, settings, display.emit)
    counts = display.outcome() + Counter(refused=len(plans) - len(usable))
    if counts["busy"]:
        display.line(f"{counts['busy']} run(s) are being done by another process")
    return counts


def device_notes(plan: Plan, settings: Settings, runs: int) -> tuple[str, ...]:
    """What is worth knowing of a plan on this device: a slow precision, GPUs that stay idle."""
    import torch

    from fer_bench.engine.device import slow_precision

    device, count = torch.device(settings.device), torch.cuda.device_count() if settings.device == "cuda" else 0
    slow = slow_precision(plan.recipe.precision, device)
    useful = min(count, runs)
    idle = f"{count} GPUs are here, {settings.jobs} of them in use: --jobs {useful} uses {useful}"
    return (*([f"{plan.recipe.name}: {slow}"] if slow else []), *([idle] if useful > settings.jobs else []))


def pack_notes(plan: Plan) -> tuple[str, ...]:
    """What is worth knowing of a plan's dataset, e.g. counts that differ from the official ones."""
    return cached_pack(plan.part.dataset, plan.request.cache, plan.request.pack_size).notes
