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
    """Images/s of forward, backward and Adam of the quick recipe's network on ready batches."""
    import torch

    from fer_bench.engine.optim import make_optimiser
    from fer_bench.nets import backbone_maker
    from fer_bench.protocol import load_recipe

    torch.set_num_threads(threads)
    recipe = load_recipe("quick")
    net: Any = backbone_maker(recipe.backbone, 1, 7, precision == "bf16", "none")()
    net = net.to(memory_format=torch.channels_last).train()
    net.param_groups = lambda lr: [{"params": list(net.parameters()), "lr": lr}]
    optimiser = make_optimiser(net, recipe, torch.device("cpu"))
    images = torch.randn(recipe.batch_size, 1, recipe.image_size, recipe.image_size)
    images = images.to(memory_format=torch.channels_last)
    labels = torch.randint(0, 7, (recipe.batch_size,))
    done, start = -10, time.perf_counter()
    while time.perf_counter() - start < seconds:
        if done == 0:
            start = time.perf_counter()
        loss = torch.nn.functional.cross_entropy(net(images), labels)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        done += 1
    return done * recipe.batch_size / (time.perf_counter() - start)


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

    from fer_bench.dispatch import cores
    from fer_bench.engine.device import environment

    found: dict[str, Any] = {"machine": {**environment(torch.device("cpu"), cores()), "cores": cores()}}
    found["seconds"] = {"--help": seconds("--help"), "list": seconds("list")}
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
