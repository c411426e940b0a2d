"""What a method's own views cost: its training step with them, and with views that are as the recipe's augmentation.

    python benchmarks/views.py                     # about a minute; writes benchmarks/results/views.json
    python benchmarks/views.py --methods man       # some of the methods that have views

The two take turns of a few steps in one process, so that whatever else the machine does meets both.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from common.tools import about, parser, say, write
from first_hour.steps import make

from fer_bench.engine.inputs import Inputs
from fer_bench.engine.lane import Lane
from fer_bench.engine.trainer import Trainer
from fer_bench.errors import unknown
from fer_bench.library.methods import methods

TURNS, STEPS = 15, 6
CPU = torch.device("cpu")


def plain(inputs: Inputs) -> Inputs:
    """The same run with views that change nothing of the recipe's augmentation."""
    views = {name: {k: v for k, v in changes.items() if k == "mirror"} for name, changes in inputs.method.views.items()}
    return replace(inputs, method=type("Plain", (inputs.method,), {"views": views}))


def turn(trainer: Trainer) -> float:
    """Seconds of a few steps."""
    start = time.perf_counter()
    for step in range(STEPS):
        trainer.advance(step)
    return time.perf_counter() - start


def measure(name: str, cache: Path) -> dict[str, Any]:
    """Milliseconds of a step of recipe quick with a method's own views and with plain ones, and the ratio of turns."""
    inputs = make(name, CPU, cache)
    trainers = [Trainer(each, Lane(CPU)) for each in (inputs, plain(inputs))]
    for trainer in trainers:
        trainer.begin(trainer.recipe.epochs - 1)
        turn(trainer)
    pairs = [[turn(trainer) for trainer in trainers] for _ in range(TURNS)]
    own, other = (1000 * statistics.median(column) / STEPS for column in zip(*pairs, strict=True))
    ratio = statistics.median(one / two for one, two in pairs)
    return {"method": name, "own_ms": own, "plain_ms": other, "ratio": ratio}


def main() -> None:
    """Measure each method and write the JSON."""
    known = [name for name, info in methods()[0].items() if info.views]
    options = parser(__doc__, "views")
    options.add_argument("--methods", default=",".join(known), help="some of them, with commas")
    chosen = options.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        for name in chosen.methods.split(","):
            if name not in known:
                raise SystemExit(f"error: {unknown('method with views', name, known)}")
            rows.append(measure(name, Path(cache)))
            say(f"{name}: {rows[-1]['ratio']:.3f} times a step with plain views")
    print(write({**about(threads=1), "rows": rows}, chosen.out))


if __name__ == "__main__":
    main()
