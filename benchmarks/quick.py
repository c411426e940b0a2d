"""The speed figures of the everyday commands, measured side by side in one run on one machine.

    python benchmarks/quick.py                      # about three minutes; writes benchmarks/results/quick.json
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import ROOT
from common.child import Child
from common.tools import about, folders, parser, seconds, write

FIRST_STEP = """
import os, time
from fer_bench.method import Method
from fer_bench.registry import register

@register("first-step")
class FirstStep(Method):
    def loss(self, batch, clock):
        print(time.time(), flush=True)
        os._exit(0)
"""


def start_up() -> float:
    """Seconds from the command to the first loss, packs being in the cache: the median of three."""
    with tempfile.TemporaryDirectory() as place:
        plugin = Path(place) / "first_step.py"
        plugin.write_text(FIRST_STEP)
        words = ["--method", "first-step", "--plugin", str(plugin), *folders(place)]
        times = []
        for _ in range(4):  # the first one makes the pack
            start = time.time()
            done = subprocess.run([sys.executable, str(ROOT / "run_bench.py"), *words], capture_output=True, text=True)
            times.append(float(done.stdout) - start)
    return statistics.median(times[1:])


def step_rate(precision: str, threads: int, seconds: float = 8.0) -> float:
    """Images/s of the quick recipe's training steps as the engine does them, augmentation included."""
    import torch

    from fer_bench.engine.device import settle
    from fer_bench.engine.lane import Lane
    from fer_bench.engine.trainer import Trainer
    from fer_bench.runs.plan import make_plans
    from fer_bench.runs.request import Request
    from fer_bench.runs.worker import make_inputs

    settle(torch.device("cpu"), threads, precision)
    with tempfile.TemporaryDirectory() as cache:
        request = Request(("ce",), ("clean",), ("synthetic",), (0,), Path(cache),
                          recipe_settings={"precision": precision})
        trainer = Trainer(make_inputs(make_plans(request, print)[0]), Lane(torch.device("cpu")))
        trainer.begin(0)
        full, done, start = len(trainer.data) // trainer.recipe.batch_size, -10, time.perf_counter()
        while time.perf_counter() - start < seconds:
            if done == 0:
                start = time.perf_counter()
            trainer.advance(done % full)
            done += 1
        return done * trainer.recipe.batch_size / (time.perf_counter() - start)


def together(precision: str, processes: int, threads: int) -> float:
    """Images/s of processes that train side by side: how several runs share the cores."""
    children = [Child("quick:step_rate", precision, threads) for _ in range(processes)]
    try:
        return sum(child.answer(120) for child in children)
    finally:
        for child in children:
            child.close()


def main() -> None:
    """Measure everything and write the JSON."""
    options = parser(__doc__, "quick").parse_args()
    run = ["--method", "nla", "--protocol", "noise30"]
    taken = {"--help": seconds("--help"), "list": seconds("list"), "start to first step": start_up()}
    with tempfile.TemporaryDirectory() as place:
        taken["nla noise30"] = seconds(*run, *folders(place), repeats=1)
        taken["nla noise30, done before"] = seconds(*run, *folders(place))
    rates = {f"{precision}, {name}": together(precision, processes, threads) for precision in ("fp32", "bf16")
             for name, processes, threads in (("one process, two threads", 1, 2),
                                              ("two processes, one thread each", 2, 1))}
    print(write({"machine": about(threads=1)["machine"], "seconds": taken, "images_per_second": rates}, options.out))


if __name__ == "__main__":
    main()
