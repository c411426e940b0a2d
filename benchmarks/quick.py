"""The speed figures of the everyday commands, measured side by side in one run on one machine.

    python benchmarks/quick.py                      # about three minutes; writes benchmarks/results/quick.json
    python benchmarks/quick.py --ferplus data/ferplus   # also times building the FERPlus pack
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def seconds(*words: str, repeats: int = 3) -> float:
    """Median wall time of a command of run_bench.py."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run([sys.executable, str(ROOT / "run_bench.py"), *words], check=True, capture_output=True, cwd=ROOT)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def step_rate(precision: str, threads: int, seconds: float = 8.0) -> float:
    """Images/s of the quick recipe's training steps as the engine does them, augmentation included."""
    import torch

    from fer_bench.engine.device import settle
    from fer_bench.engine.lane import Lane
    from fer_bench.engine.trainer import Trainer
    from fer_bench.runs.plan import Request, make_plans
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
        times = []
        for _ in range(4):  # the first one makes the pack
            start = time.time()
            words = ["--method", "first-step", "--plugin", str(plugin), "--work", f"{place}/w", "--cache", f"{place}/c",
                     "--results", f"{place}/r"]
            done = subprocess.run([sys.executable, str(ROOT / "run_bench.py"), *words], capture_output=True, text=True)
            times.append(float(done.stdout) - start)
    return statistics.median(times[1:])


def two_processes(precision: str) -> float:
    """Images/s of two processes of one thread each, together: how several runs share two cores."""
    code = f"import quick; print(quick.step_rate({precision!r}, 1))"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}:{ROOT / 'benchmarks'}"}
    children = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
                for _ in range(2)]
    return sum(float(child.communicate()[0]) for child in children)


def pack_times(root: Path) -> dict[str, float]:
    """Seconds to build the FERPlus pack from its CSVs and to open it again."""
    from fer_bench.data.catalog import open_dataset

    with tempfile.TemporaryDirectory() as cache:
        start = time.perf_counter()
        open_dataset("ferplus7", root, Path(cache))
        built = time.perf_counter() - start
        times = []
        for _ in range(5):
            start = time.perf_counter()
            open_dataset("ferplus7", root, Path(cache))
            times.append(time.perf_counter() - start)
    return {"build_ferplus7": built, "open_ferplus7": statistics.median(times)}


def main() -> None:
    """Measure everything and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ferplus", type=Path, help="folder with fer2013.csv and fer2013new.csv")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "quick.json")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    import torch

    from fer_bench.engine.device import environment
    from fer_bench.runs.dispatch import cores

    found: dict[str, Any] = {"machine": {**environment(torch.device("cpu"), cores()), "cores": cores()}}
    found["seconds"] = {"--help": seconds("--help"), "list": seconds("list"), "start to first step": start_up()}
    with tempfile.TemporaryDirectory() as place:
        folders = ("--results", f"{place}/r", "--work", f"{place}/w", "--cache", f"{place}/c")
        found["seconds"]["nla noise30"] = seconds("--method", "nla", "--protocol", "noise30", *folders, repeats=1)
        found["seconds"]["nla noise30, done before"] = seconds("--method", "nla", "--protocol", "noise30", *folders)
    if options.ferplus:
        found["seconds"] |= pack_times(options.ferplus)
    found["images_per_second"] = {
        f"{precision}, {what}": rate for precision in ("fp32", "bf16")
        for what, rate in (("one process, two threads", step_rate(precision, 2)),
                           ("two processes, one thread each", two_processes(precision)))}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
