"""What a launch, an operation and a byte take on this processor: fitted once to real steps, and kept in the cache.

The counts are those of a pretended GPU, the seconds this processor's, so the three rates are no properties of the
machine but what carries one over to the other. One set for each precision, since bf16 is slow on most processors.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fer_bench.engine.device import name_of, settle
from fer_bench.engine.inputs import Inputs
from fer_bench.engine.lane import Lane
from fer_bench.engine.pixels import eval_batch
from fer_bench.engine.trainer import Trainer
from fer_bench.errors import UserError
from fer_bench.estimate.counting import EDITION, Question, counts_of
from fer_bench.estimate.grid import at_size
from fer_bench.estimate.rates import Rates
from fer_bench.fake.counts import Counts, Work
from fer_bench.fake.drive import blank_data
from fer_bench.library.fingerprint import engine_hash
from fer_bench.library.methods import load_class, methods
from fer_bench.nets.backbone import backbone_maker
from fer_bench.protocols.protocol import load_recipe
from fer_bench.runs.store import write_whole

CPU, CLASSES, FACES, SIZE = torch.device("cpu"), 7, 640, 48  # of the blank data
# recipe, method, changes: another batch tells launches from arithmetic, a large network arithmetic from memory
SMALL = {"image_size": "64", "batch_size": "8"}
CASES: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("quick", "ce", {}), ("quick", "ce", {"batch_size": "16"}), ("quick", "nla", {}),
    ("paper", "ce", {**SMALL, "precision": "fp32"}),
    ("fer48", "ce", {}), ("fer48", "ce", {"batch_size": "32"}), ("fer48", "nla", {}), ("paper", "ce", SMALL))
SECONDS, ROUNDS = 0.4, 3  # of each measurement; the best round counts, since others only slow one down
Row = tuple[Work, float]


def calibrate(cache: Path, say: Callable[[str], None]) -> dict[str, Rates]:
    """Measure this processor, keep what was found, and return it: rates by precision."""
    rows: dict[str, list[Row]] = {}
    questions = [question(*case) for case in CASES]
    counts = counts_of(questions, cache, say)
    for asked in questions:
        found = counts[asked.key()]
        if isinstance(found, str):
            raise UserError(f"{asked.method.name} under {asked.recipe.name} could not be counted ({found})")
        say(f"measuring {asked.method.name} under {asked.recipe.name}, batch {asked.recipe.batch_size} ...")
        rows.setdefault(asked.recipe.precision, []).extend(measure(asked, found))
    rates = {precision: fit(found) for precision, found in rows.items()}
    kept = {name: vars(rate) for name, rate in rates.items()}
    write_whole(place(cache), json.dumps({**machine(), "rates": kept}, indent=1))
    return rates


def known(cache: Path) -> dict[str, Rates]:
    """The rates of this processor and this torch, if they were measured; else nothing."""
    try:
        found = json.loads(place(cache).read_text())
        if {key: found[key] for key in machine()} != machine():
            return {}
        return {name: Rates(**rates) for name, rates in found["rates"].items()}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def place(cache: Path) -> Path:
    """Where the rates are kept."""
    return cache / "processor.json"


def machine() -> dict[str, Any]:
    """What the rates hold for."""
    return {"processor": name_of(CPU), "torch": torch.__version__, "engine": engine_hash(), "counted": EDITION,
            "cases": [[*case] for case in CASES]}


def question(recipe: str, method: str, changes: dict[str, str]) -> Question:
    """A case as what is counted."""
    info = methods()[0][method]
    return Question(info, {key: p.default for key, p in info.parameters.items()},
                    load_recipe(recipe, {**changes, "epochs": "3"}), SIZE, CLASSES)


def measure(asked: Question, counts: Counts) -> list[Row]:
    """What a step and an evaluation of a method are counted to do, and the seconds that they take here."""
    recipe = asked.recipe
    settle(CPU, recipe.threads, recipe.precision)
    make = backbone_maker(recipe.backbone, len(recipe.mean), CLASSES, recipe.precision == "bf16", "none")
    inputs = Inputs("measured", load_class(asked.method), asked.parameters, recipe,
                    blank_data(FACES, FACES, SIZE, CLASSES, 0.3), 0, make)
    trainer = Trainer(inputs, Lane(CPU))
    trainer.begin(0)
    trainer.advance(0)
    full = trainer.data.steps - 1
    step, evaluation = fastest([lambda n: trainer.advance(n % full), lambda n: trainer.evaluations["test"].logits()])
    predicted = at_size(counts.evaluation, counts.evaluation_faces, FACES, eval_batch(CPU, recipe.image_size))
    return [(counts.whole_step, step), (predicted, evaluation)]


def fastest(calls: list[Callable[[int], object]]) -> list[float]:
    """Seconds of a call of each, which take turns: those of its best round."""
    best = [float("inf")] * len(calls)
    for _ in range(ROUNDS):
        for place, call in enumerate(calls):
            done, start = 0, time.perf_counter()
            while not done or time.perf_counter() - start < SECONDS:
                call(done)
                done += 1
            best[place] = min(best[place], (time.perf_counter() - start) / done)
    return best


def fit(rows: list[Row]) -> Rates:
    """The rates, none below zero, whose seconds come nearest to those measured, each row by its share."""
    from scipy.optimize import nnls

    counted = np.array([[work.launches, work.flops, work.bytes] for work, _ in rows], dtype=np.float64)
    scale = counted.max(0)
    found, _ = nnls(counted / scale / np.array([[seconds] for _, seconds in rows]), np.ones(len(rows)))
    return Rates(*(found / scale).tolist())
