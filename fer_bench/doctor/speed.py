"""What precision and sharing cost on this machine, measured with real training steps in a few seconds.

Torch is imported where it is needed only.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from fer_bench.doctor.advice import Rate, Sharing, kin, precision_advice, sharing_advice
from fer_bench.doctor.section import Problem, Section, first_line
from fer_bench.paths import PACKAGE
from fer_bench.protocols.protocol import Recipe, load_recipe

ROUNDS = 4  # windows of each cell; cells take turns and the best window counts, since others only slow one down
SERVE = "from fer_bench.doctor.speed import serve; serve()"
Window = Callable[[float], float]
Say = Callable[[str], None]


def section(device: Any, twin: Twin | None, progress: Say) -> Section:
    """Measure, and say what it means. ``twin`` is measured against two threads where the processor trains."""
    import torch

    from fer_bench.runs.dispatch import cores

    found = Section("what precision costs here", columns=("network", "precision", "images/s", "x fp32"))
    threads = torch.get_num_threads()
    try:
        if twin:
            progress("measuring: a second process starts")
            twin.answer()
        for recipe in networks():
            progress(f"measuring: precisions of {recipe.backbone} on {device}")
            rates = compare(recipe, device)
            found.rows += [(r.network, r.precision, f"{r.images:.0f}", f"{r.ratio:.2f}") for r in rates]
            found.advice += [precision_advice(rate, kin(rate.backbone)) for rate in rates[1:]]
        if twin and device.type == "cpu" and cores() > 1:
            progress("measuring: two processes against two threads")
            found.advice.append(sharing_advice(share(twin), cores()))
    except RuntimeError as error:  # out of memory, too
        found.problems.append(Problem(f"a network does not train on {device} ({first_line(error)}): see whether "
                                      "another process fills it, or try --device cpu"))
    finally:
        torch.set_num_threads(threads)
        progress("")
    return found


def networks() -> tuple[Recipe, ...]:
    """A small and a large network as the recipes train them; the large one at 64 px, to be quick."""
    return load_recipe("quick"), load_recipe("paper", {"image_size": "64"})


def stepper(recipe: Recipe, precision: str, device: Any, threads: int, say: Say = lambda line: None) -> Window:
    """A function that trains for some seconds on one ready batch and returns images/s; it is warmed up."""
    import torch

    from fer_bench.engine.device import choose_engine, settle
    from fer_bench.engine.lane import Lane

    settle(device, threads, precision)
    cuda = device.type == "cuda"
    lane = Lane(device, choose_engine("auto", device, False))
    with lane.active():
        run = make_step(recipe, precision, lane, say)

    def window(seconds: float) -> float:
        settle(device, threads, precision)
        done, start = 0, time.perf_counter()
        with lane.active():
            while done == 0 or time.perf_counter() - start < seconds:
                for _ in range(20 if cuda else 1):  # a GPU works behind; waiting for it seldom costs little
                    run(recipe.batch_size)
                    done += recipe.batch_size
                if cuda:
                    torch.cuda.synchronize(device)
            return done / (time.perf_counter() - start)

    for _ in range(2):
        window(0)
    return window


def make_step(recipe: Recipe, precision: str, lane: Any, say: Say) -> Callable[[int], Any]:
    """A training step run as this lane runs those of a run: same engine, same optimiser."""
    from torch.nn import functional as F

    from fer_bench.engine.capture import snapshot
    from fer_bench.engine.optim import make_optimiser

    method, images, labels = make_work(recipe, precision, lane.device)
    optimiser = make_optimiser(method, recipe, lane.device, lane.wanted != "eager")

    def step(size: int) -> Any:
        loss = F.cross_entropy(method.predict(images), labels)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return loss.detach()

    run: Callable[[int], Any] = lane.runner(method, step, lambda: snapshot(method, optimiser), say)
    return run


def make_work(recipe: Recipe, precision: str, device: Any) -> tuple[Any, Any, Any]:
    """A plain method of seven classes with the recipe's network, and a batch of noise."""
    import torch

    from fer_bench.method import Context, Method
    from fer_bench.nets.backbone import backbone_maker

    channels, batch, size = 1 if recipe.colour == "grey" else 3, recipe.batch_size, recipe.image_size
    labels = torch.arange(batch) % 7
    make = backbone_maker(recipe.backbone, channels, 7, precision == "bf16", "none")
    method = Method(Context(7, labels, torch.bincount(labels, minlength=7), 1, 1, make))
    images = torch.randn(batch, channels, size, size, device=device).to(memory_format=torch.channels_last)
    return method.to(device).to(memory_format=torch.channels_last).train(), images, labels.to(device)


def compare(recipe: Recipe, device: Any, seconds: float = 1.0, say: Say = lambda line: None) -> list[Rate]:
    """Rates of one network in every precision, about ``seconds`` for each; slow steps end it early."""
    precisions = ("fp32", "tf32", "bf16") if device.type == "cuda" else ("fp32", "bf16")
    windows = {precision: stepper(recipe, precision, device, 1, say) for precision in precisions}
    found: dict[str, list[float]] = {precision: [] for precision in precisions}
    start = time.perf_counter()
    for _ in range(ROUNDS):
        for precision, window in windows.items():
            found[precision].append(window(seconds / ROUNDS))
        if time.perf_counter() - start > 1.5 * seconds * len(precisions):
            break
    rates = {precision: max(values) for precision, values in found.items()}
    network = f"{recipe.backbone}, {recipe.image_size} px, batch {recipe.batch_size}"
    return [Rate(network, recipe.backbone, p, rate, rate / rates["fp32"]) for p, rate in rates.items()]


class Twin:
    """A second process that trains on one thread. It starts at once, since importing torch takes it seconds."""

    def __init__(self) -> None:
        places = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(places)}
        self.process = subprocess.Popen([sys.executable, "-P", "-c", SERVE], text=True, env=environment,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def begin(self, seconds: float) -> None:
        """Train for so long; ``answer`` gives the images/s."""
        if self.process.stdin:
            with contextlib.suppress(BrokenPipeError):  # ``answer`` says that it has ended
                self.process.stdin.write(f"{seconds}\n")
                self.process.stdin.flush()

    def answer(self) -> str:
        """Its next line, the first of which is "ready". Raises RuntimeError when it has ended."""
        line = self.process.stdout.readline().strip() if self.process.stdout else ""
        if not line:
            raise RuntimeError("a second process that trains has ended")
        return line

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.communicate()


def serve() -> None:
    """The other end of a Twin: says "ready", then trains for each number of seconds it reads and answers images/s."""
    import torch

    window = stepper(networks()[0], "fp32", torch.device("cpu"), 1)
    print("ready", flush=True)
    for line in sys.stdin:
        print(window(float(line)), flush=True)


def share(twin: Twin, seconds: float = 1.5) -> Sharing:
    """Two threads against this process and a second one, in turns; ``twin`` has said that it is ready."""
    import torch

    one, two = (stepper(networks()[0], "fp32", torch.device("cpu"), threads) for threads in (1, 2))
    threads, processes, start = [], [], time.perf_counter()
    for _ in range(ROUNDS):
        threads.append(two(seconds / ROUNDS))
        twin.begin(seconds / ROUNDS)
        processes.append(one(seconds / ROUNDS) + float(twin.answer()))
        if time.perf_counter() - start > 3 * seconds:  # threads that wait for one another suffer most from others
            break
    return Sharing(max(threads), max(processes))
