"""What ``--dry-run`` says of a grid: a line for each method, the whole, and what to ask a cluster for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from fer_bench.engine.device import name_of
from fer_bench.engine.pixels import eval_batch
from fer_bench.estimate.calibrate import known
from fer_bench.estimate.cards import Card, card_of
from fer_bench.estimate.counting import counts_of, evaluation_batch
from fer_bench.estimate.grid import Group, batch_that_fits, groups_of, lanes_that_fit, passes, peak_bytes, run_seconds
from fer_bench.estimate.rates import CARD_FACTOR, Rates, card_rates
from fer_bench.fake.counts import Counts
from fer_bench.runs.plan import Plan

HERE_FACTOR = 1.5  # within which nine of ten methods lie on a processor that was measured (benchmarks/predicted.py)
MOST_LANES = 8


@dataclass(frozen=True)
class Line:
    """One group of runs. here, there: seconds of one run on this machine and on the card; None if unknown."""

    group: Group
    counts: Counts | str
    here: float | None
    there: float | None


def estimate(plans: list[Plan], cache: Path, engine: str, here: Card | None, card: Card | None,
             say: Callable[[str], None], progress: Callable[[int, int], None] = lambda done, of: None) -> list[Line]:
    """A line for each group of runs. engine: how steps will be run on a card, "eager" or another. here: the card that
    runs would take here; None for the processor."""
    groups, rates = groups_of(plans), known(cache)
    counts = counts_of([group.question for group in groups], cache, say, progress)
    lines = []
    for group in groups:
        found = counts[group.question.key()]
        if isinstance(found, str):
            lines.append(Line(group, found, None, None))
        else:
            own = on_card(here, group, found, engine) if here else on_processor(rates, group, found)
            lines.append(Line(group, found, own, on_card(card, group, found, engine) if card else None))
    return lines


def on_card(card: Card, group: Group, counts: Counts, engine: str) -> float | None:
    """Seconds of one run on a card; None if the table has no figures of it."""
    if not card.bytes:
        return None
    recipe = group.question.recipe
    run, called = (card_rates(card, recipe.precision, way).seconds for way in (engine, "eager"))
    return run_seconds(counts, group.sizes, recipe, run, called, evaluation_batch(recipe))


def on_processor(rates: dict[str, Rates], group: Group, counts: Counts) -> float | None:
    """Seconds of one run on the processor; None if it was not measured for such a recipe."""
    recipe = group.question.recipe
    rate = rates.get(recipe.precision) if recipe.threads == 1 else None
    batch = eval_batch(torch.device("cpu"), recipe.image_size)
    return run_seconds(counts, group.sizes, recipe, rate.seconds, rate.seconds, batch) if rate else None


def card_here(device: str) -> Card | None:
    """The card that runs would take here; without figures, but with its name and memory, if the table has it not. None
    for the processor."""
    if device == "cpu" or not torch.cuda.is_available():
        return None
    index = torch.device("cuda" if device == "auto" else device).index or 0
    name, memory = torch.cuda.get_device_name(index), float(torch.cuda.mem_get_info(index)[1])
    return card_of(name, memory) or Card("here", name, 0, 0, 0, 0, memory, "")


def rows(lines: list[Line], card: Card | None) -> list[list[str]]:
    """The table's cells, its head first."""
    head = ["method", "protocol", "runs", "launches a step", "passes", "GB on a GPU", "a run here"]
    found = [head + ([f"a run on {card.name}"] if card else [])]
    for line in lines:
        group, counts = line.group, line.counts
        if isinstance(counts, str):
            found.append([group.label, group.protocol, str(group.runs), f"not counted: {counts[:80]}"])
            continue
        recipe = group.question.recipe
        found.append([group.label, group.protocol, str(group.runs), str(counts.whole_step.launches),
                      f"{passes(counts, recipe):.1f}", f"{peak_bytes(counts, group.sizes, recipe) / 1e9:.2f}",
                      span(line.here)] + ([span(line.there)] if card else []))
    return found


def whole(lines: list[Line], here: Card | None, card: Card | None, jobs: int) -> list[str]:
    """Sentences on the whole grid: its time here and on a card, with how far to believe it."""
    counted = [line for line in lines if not isinstance(line.counts, str)]
    left_out = len(lines) - len(counted)
    found = [f"{left_out} of {len(lines)} lines were not counted and are in no sum"] if left_out else []
    name, factor = (here.title, CARD_FACTOR) if here else (name_of(torch.device("cpu")), HERE_FACTOR)
    if not counted:
        return found
    if all(line.here is not None for line in counted):
        runs = sum(line.group.runs for line in counted)
        seconds = sum((line.here or 0.0) * line.group.runs for line in counted)
        at_once = 1 if here else min(jobs, runs)
        longest = max(line.here or 0.0 for line in counted)
        found.append(f"here ({name}): {span(max(seconds / at_once, longest))} in all" +
                     (f", {at_once} at a time" if at_once > 1 else "") +
                     f", within a factor of {factor:g} where nothing else runs")
    elif here:
        found.append(f"here ({name}): unknown, the table of cards has no figures of it")
    else:
        found.append("here: unknown; `run_bench.py doctor` measures this processor once (fp32 and bf16, one thread)")
    if card:
        seconds = sum((line.there or 0.0) * line.group.runs for line in counted)
        found.append(f"on {card.title}: {span(seconds)} in all, start-up and recording apart, from peak figures "
                     f"that nobody has checked on a card yet: believe a factor of {CARD_FACTOR:g}")
    return found


def too_large(lines: list[Line], memory: float, title: str, pack: int) -> list[str]:
    """What does not fit into so many bytes of a card, and what would."""
    found = []
    for line in lines:
        if isinstance(line.counts, str):
            continue
        group, recipe = line.group, line.group.question.recipe
        if (fits := lanes_that_fit(memory, line.counts, group.sizes, recipe)) < pack:
            batch = batch_that_fits(memory, line.counts, group.sizes, recipe)
            mend = f"--pack {fits} fits" if fits else f"--set-recipe batch_size={batch} fits" if batch else \
                "take a card with more memory, or smaller faces with --pack-size"
            need = peak_bytes(line.counts, group.sizes, recipe) / 1e9
            found.append(f"{group.label}: {pack} at a time, of about {need:.1f} GB each, do not fit into the "
                         f"{memory / 1e9:.0f} GB of {title}; {mend}")
    return list(dict.fromkeys(found))


def most_lanes(lines: list[Line], card: Card) -> list[str]:
    """The largest --pack with which all counted methods fit into a card."""
    lanes = [lanes_that_fit(card.memory, line.counts, line.group.sizes, line.group.question.recipe)
             for line in lines if not isinstance(line.counts, str)]
    most = min(MOST_LANES, min(lanes, default=0))
    return [f"--pack up to {most} fits into {card.title}"] if most else []


def time_limit(lines: list[Line], tasks: int) -> str:
    """What to ask a cluster for."""
    seconds = sum((line.there or 0.0) * line.group.runs for line in lines)
    longest = max((line.there or 0.0 for line in lines), default=0.0)
    minutes = math.ceil(CARD_FACTOR * max(seconds / tasks, longest) / 60) + 5
    return (f"{tasks} task(s): about {span(max(seconds / tasks, longest))} each; timeout_min={minutes} leaves room for "
            "the doubt (a task that is out of time is queued again and goes on)")


def span(seconds: float | None) -> str:
    """Seconds as people say them."""
    if seconds is None:
        return "?"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
