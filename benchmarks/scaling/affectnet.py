"""AffectNet's size: faces that do not fit into memory, trained on from the file by a process with a memory limit."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from fer_bench.data.pack import Pack, open_pack
from fer_bench.engine.device import settle
from fer_bench.engine.trainer import Trainer
from fer_bench.protocols.prepare import prepare
from fer_bench.protocols.protocol import load_protocol, load_recipe
from scaling.measured import Measured
from scaling.parts import CPU, make_trainer


def affectnet(folder: Path, steps: int, deadline: float) -> dict[str, Any]:
    """Prepare, train some steps, go through the rest of the epoch's batches, predict the test faces.

    deadline: seconds for the rest of the epoch, 0 for as long as it takes. Seconds are wall seconds.
    """
    settle(CPU, 1, "fp32")
    with Measured(time.perf_counter) as measured:
        pack = measured.time("open pack", lambda: open_pack(folder), 1)
        figures: dict[str, Any] = {"seconds": measured.seconds, "imb50": imbalance(pack, measured)}
        data = measured.time("prepare noise30", lambda: prepare(pack, load_protocol("noise30"), 0), 1)
        trainer = measured.time("Trainer", lambda: make_trainer(data, "ce", load_recipe("quick")), 1)
        figures |= {"train faces": len(data.train), "test faces": len(data.test)}
        figures |= train(trainer, steps, deadline, measured)
        measured.time("prediction", lambda: trainer.predict("test"), 1)
    return {**figures, "peak RssAnon bytes": measured.highest, "RssAnon at start": measured.start}


def imbalance(pack: Pack, measured: Measured) -> dict[str, Any]:
    """Prepare with imb50 and read a few faces: whether memory grows by less than a copy of the faces would take."""
    before = measured.growth()
    data = measured.time("prepare imb50", lambda: prepare(pack, load_protocol("imb50"), 0), 1)
    face = data.train.images[:64][0]
    grown, copy = measured.growth() - before, len(data.train) * face.nbytes
    return {"faces": len(data.train), "bytes grown": grown, "bytes of a copy": copy, "copied": grown > copy / 2}


def train(trainer: Trainer, steps: int, deadline: float, measured: Measured) -> dict[str, Any]:
    """Real steps, then batches alone to the end of the epoch or the deadline; wall seconds, faces and images/s."""
    data, seconds = trainer.data, measured.seconds
    measured.time("begin(0)", lambda: trainer.begin(0), 1)
    steps = min(steps, data.steps)
    measured.time("steps", lambda: [trainer.advance(step) for step in range(steps)], 1)
    trained = sum(data.size(step) for step in range(steps))

    def read() -> int:
        start, read = time.perf_counter(), 0
        for step in range(steps, data.steps):
            data.seek(step)
            read += len(data.batch(data.size(step)).labels)
            if deadline and time.perf_counter() - start > deadline:
                break
        return read

    touched = measured.time("batches", read, 1)
    return {"images/s of steps": trained / seconds["steps"], "images/s of batches": touched / seconds["batches"],
            "faces touched": trained + touched, "whole epoch": trained + touched == len(data)}
