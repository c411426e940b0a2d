"""AffectNet's size: faces that do not fit into memory, trained on from the file by a process with a memory limit."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import torch
from scaling_memory import Group, Memory
from scaling_parts import CPU, make_inputs

from fer_bench.data.pack import Pack, open_pack
from fer_bench.engine.device import settle
from fer_bench.engine.lane import Lane
from fer_bench.engine.metrics import evaluate
from fer_bench.engine.trainer import Trainer
from fer_bench.protocols.prepare import prepare
from fer_bench.protocols.protocol import load_protocol, load_recipe

SAY_EVERY = 20.0  # seconds
SHOWN = 150  # memory samples that are kept


def affectnet(folder: Path, steps: int, deadline: float, watched: Group | None) -> dict[str, Any]:
    """Prepare, train some steps, go through the rest of the epoch's batches, predict the test faces.

    deadline: seconds for the rest of the epoch, 0 for as long as it takes. Returns figures and memory over time.
    """
    settle(CPU, 1, "fp32")
    begun = time.perf_counter()
    with Memory(0.5, watched) as memory:
        opened, found = timed(lambda: open_pack(folder))
        figures: dict[str, Any] = {"seconds": {"open pack": found}, "limited": watched is not None}
        imbalance(opened, memory, figures)
        data, figures["seconds"]["prepare noise30"] = timed(lambda: prepare(opened, load_protocol("noise30"), 0))
        trainer, figures["seconds"]["Trainer"] = timed(
            lambda: Trainer(make_inputs(data, "ce", load_recipe("quick")), Lane(CPU)))
        figures["train faces"], figures["test faces"] = len(data.train), len(data.test)
        train(trainer, steps, deadline, figures)
        logits, figures["seconds"]["prediction"] = timed(lambda: trainer.predict("test"))
        figures["test overall"] = evaluate(logits, data.test.true)["overall"]
        figures |= {"peak RssAnon bytes": memory.peak() + memory.start, "RssAnon at start": memory.start}
    figures["total seconds"] = time.perf_counter() - begun
    thin = -(-len(memory.samples) // SHOWN)
    figures["samples"] = [(round(seconds, 1), *more) for seconds, *more in memory.samples[::thin or 1]]
    return figures


def timed(work: Any) -> tuple[Any, float]:
    """A result and the wall seconds that it took."""
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def imbalance(opened: Pack, memory: Memory, figures: dict[str, Any]) -> None:
    """Prepare with imb50 and read a few faces: whether memory grows by less than a copy of the faces would take."""
    before = memory.growth()
    data, figures["seconds"]["prepare imb50"] = timed(lambda: prepare(opened, load_protocol("imb50"), 0))
    face = data.train.images[:64][0]
    grown, copy = memory.growth() - before, len(data.train) * face.nbytes
    figures["imb50"] = {"faces": len(data.train), "bytes grown": grown, "bytes of a copy": copy,
                        "copied": grown > copy / 2}


def train(trainer: Trainer, steps: int, deadline: float, figures: dict[str, Any]) -> None:
    """Real steps, then batches alone to the end of the epoch or the deadline; wall seconds, faces and images/s."""
    data, seconds = trainer.data, figures["seconds"]
    _, seconds["begin(0)"] = timed(lambda: trainer.begin(0))
    steps = min(steps, data.steps)
    start = time.perf_counter()
    for step in range(steps):
        trainer.advance(step)
    seconds["steps"] = time.perf_counter() - start
    touched = sum(data.size(step) for step in range(steps))
    figures["images/s of steps"] = touched / seconds["steps"]
    start = said = time.perf_counter()
    batches = 0
    for step in range(steps, data.steps):
        data.seek(step)
        batches += len(data.batch(data.size(step)).labels)
        now = time.perf_counter()
        if now - said > SAY_EVERY:
            said = now
            print(f"affectnet: {touched + batches:,} of {len(data):,} faces, {batches / (now - start):,.0f} images/s",
                  file=sys.stderr, flush=True)
        if deadline and now - start > deadline:
            break
    seconds["batches"] = time.perf_counter() - start
    figures["images/s of batches"] = batches / seconds["batches"] if batches else None
    figures["faces touched"] = touched + batches
    figures["whole epoch"] = touched + batches == len(data)
    figures["loss"] = float(torch.mean(trainer.losses[:steps]))
