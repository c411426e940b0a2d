"""How near the times that ``--dry-run`` tells come to real ones on this processor, for every method.

    python benchmarks/predicted.py                       # measures what is missing, about 15 minutes on an idle machine
    python benchmarks/predicted.py --methods ce,nla      # some alone

Recipes quick and fer48 on the embedded faces under noise30. The processor is measured first, as ``run_bench.py doctor``
does. A run's seconds are then measured from its first and its last epoch, each trained and evaluated as a run does it,
and compared with what is told. Writes benchmarks/results/predicted.json after every method, and measures none twice.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from common.tools import about, parser, write

from fer_bench.engine.device import settle
from fer_bench.engine.lane import Lane
from fer_bench.engine.trainer import Trainer
from fer_bench.estimate.calibrate import CPU, calibrate, known
from fer_bench.estimate.page import estimate
from fer_bench.library.methods import methods
from fer_bench.runs.plan import Plan, make_plans
from fer_bench.runs.request import Request
from fer_bench.runs.worker import make_inputs

RECIPES, BOUND = ("quick", "fer48"), 1.5


def main() -> None:
    """Measure what is missing, and say how many are within the bound."""
    words = parser(__doc__, "predicted")
    words.add_argument("--methods", default=",".join(methods()[0]), help="comma-separated; all by default")
    words.add_argument("--cache", type=Path, default=Path("cache"))
    arguments = words.parse_args()
    here = about(threads=1)
    found = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    if found.get("machine") != here["machine"]:
        found = {**here, "rows": []}
    if not known(arguments.cache):
        calibrate(arguments.cache, print)
    found["rates"] = {name: vars(rates) for name, rates in known(arguments.cache).items()}
    rows = {(row["method"], row["recipe"]): row for row in found["rows"]}
    for recipe in RECIPES:
        names = tuple(arguments.methods.split(","))
        plans = make_plans(Request(names, ("noise30",), ("synthetic",), (0,), arguments.cache, recipe=recipe), print)
        for plan, line in zip(plans, estimate(plans, arguments.cache, "eager", None, None, print), strict=True):
            row = rows.setdefault((plan.label, recipe), {"method": plan.label, "recipe": recipe})
            row["predicted"] = line.here
            row["measured"] = row.get("measured") or measured(plan)
            row["ratio"] = row["measured"] / row["predicted"]
            write({**found, "rows": list(rows.values())}, arguments.out)
            print(f"{plan.label:26} {recipe:6} told {row['predicted']:7.1f} s, took {row['measured']:7.1f} s: "
                  f"{row['ratio']:.2f}", flush=True)
    summary(list(rows.values()))


def measured(plan: Plan) -> float:
    """Seconds of a whole run, from its first and its last epoch."""
    settle(CPU, plan.recipe.threads, plan.recipe.precision)
    trainer, seconds = Trainer(make_inputs(plan), Lane(CPU)), []
    trainer.data.batch(1)  # the first touch of the data is no epoch's
    for epoch in (0, plan.recipe.epochs - 1):
        start = time.perf_counter()
        for _ in trainer.train_epoch(epoch):
            pass
        trainer.trained()
        trainer.predict("test")
        trainer.diagnose()
        seconds.append(time.perf_counter() - start)
    return plan.recipe.epochs * sum(seconds) / len(seconds)


def summary(rows: list[dict]) -> None:
    """How many methods lie within the bound."""
    for recipe in RECIPES:
        ratios = {row["method"]: row["ratio"] for row in rows if row["recipe"] == recipe}
        inside = [name for name, ratio in ratios.items() if 1 / BOUND <= ratio <= BOUND]
        print(f"{recipe}: {len(inside)} of {len(ratios)} within a factor of {BOUND}; outside: " + (", ".join(
            f"{name} {ratio:.2f}" for name, ratio in ratios.items() if name not in inside) or "none"))


if __name__ == "__main__":
    main()
