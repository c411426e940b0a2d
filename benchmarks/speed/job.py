"""What one child process of the benchmark measures, and how a window is timed."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

EPOCHS = 60  # of a run
Steps = Iterator[tuple[int, bool]]  # after each optimiser step: images in it, and whether it ended an epoch


@dataclass(frozen=True)
class Job:
    """One measurement. kind: a name in rows.KINDS. faces: JPEGs to make for training, 0 for as many as RAF-DB has."""

    kind: str
    method: str = "ce"
    device: str = "cpu"
    size: int = 224
    batch: int = 32
    workers: int = 4
    folder: str = ""
    engine: str = "eager"
    precision: str = "fp32"
    fast: bool = False
    lanes: int = 1
    faces: int = 0


def measure(steps: Steps, device: str, seconds: float, warm: int = 2) -> dict[str, Any]:
    """Images and seconds of one window. On the CPU it begins after ``warm`` steps; on CUDA it is whole epochs, so that
    loaders pay their start and our engine its draws as often as in a run."""
    import torch

    epochs = device.startswith("cuda")
    for _ in range(0 if epochs else warm):
        next(steps)
    wait(device)
    images, start = 0, time.perf_counter()
    while True:
        count, ended = next(steps)
        images += count
        if (ended or not epochs) and time.perf_counter() - start >= seconds:
            break
    wait(device)
    return {"images": images, "seconds": time.perf_counter() - start, "peak_memory_bytes": peak_memory(device),
            "threads": torch.get_num_threads()}


def warm_up(steps: Steps, device: str) -> None:
    """A whole epoch on CUDA (graphs are captured and kernels compiled in it), three steps on the CPU."""
    for done, (_, ended) in enumerate(steps, 1):
        if ended or (done == 3 and not device.startswith("cuda")):
            break
    wait(device)


def wait(device: str) -> None:
    """Until the device has done all that it was given."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)


def peak_memory(device: str) -> int:
    """Most bytes this process had: tensors on a CUDA device, else resident memory (loader workers not counted)."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.max_memory_allocated(device))
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
