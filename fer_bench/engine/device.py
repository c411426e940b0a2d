"""The device of a process: threads, determinism and precision, set once before any run."""

from __future__ import annotations

import os
import platform
import warnings
from functools import cache
from typing import Any

import torch

from fer_bench.errors import UserError


def choose(name: str) -> torch.device:
    """"auto" takes a GPU when there is one. Raises UserError for a device that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0][:100]
        raise UserError(f"--device {name}: not usable here ({reason}); try auto or cpu") from None
    return device


def choose_engine(name: str, device: torch.device, fast: bool) -> str:
    """"auto" is graph on CUDA, where a recording is tried before it is used, and eager elsewhere. Raises UserError for
    what cannot be."""
    if name in ("graph", "compiled") and device.type != "cuda":
        raise UserError(f"--engine {name}: a CUDA graph needs a CUDA device, found {device}; leave --engine out")
    if name == "compiled" and not fast:
        raise UserError("--engine compiled: a compiled loss rounds otherwise than the method as written; add --fast, "
                        "which makes that part of the run's identity, or use --engine graph")
    return name if name != "auto" else "graph" if device.type == "cuda" else "eager"


def settle(device: torch.device, threads: int, precision: str, fast: bool = False) -> None:
    """The number of threads, full float32 unless the recipe says tf32, and deterministic algorithms unless ``fast``."""
    torch.set_num_threads(threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(not fast)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = fast
    if device.type == "cuda":
        # said by Adam in every step that is called and not replayed; ours is capturable so that both have the same bits
        warnings.filterwarnings("ignore", message=".*capturable=True.*")
        warnings.filterwarnings("ignore", message=".*Synchronization debug mode.*")  # its use is in capture.py
        torch.cuda.init()  # type: ignore[no-untyped-call]
        name_of(device)
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
        torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")


def environment(device: torch.device, threads: int) -> dict[str, Any]:
    """What a record says of the machine: enough to know when the same bits can be expected."""
    return {"device": name_of(device), "kind": device.type, "threads": threads, "python": platform.python_version(),
            "torch": torch.__version__, "platform": platform.system() + " " + platform.machine()}


@cache
def name_of(device: torch.device) -> str:
    """A device's name; asked while it works, since one that is lost does not tell."""
    if device.type != "cuda":
        return processor()
    try:
        return torch.cuda.get_device_name(device)
    except RuntimeError:
        return f"{device}, which does not answer"


def slow_precision(precision: str, device: torch.device) -> str:
    """What to know of a precision on a GPU of before compute capability 8.0, where bf16 and tf32 came; "" otherwise."""
    if device.type != "cuda" or (compute := torch.cuda.get_device_capability(device)) >= (8, 0):
        return ""
    means = {"bf16": "its kernels are slow there; --precision fp32 is another run id and may be faster",
             "tf32": "this runs as fp32 there, under another run id; leave the precision out"}
    return "" if precision not in means else (f"{device} has no {precision} in hardware (compute capability "
                                              f"{compute[0]}.{compute[1]}, 8.0 has): {means[precision]}")


def spread(name: str, number: int) -> str:
    """The device of the ``number``-th of several processes: "cuda" alone means the machine's GPUs in turn."""
    count = torch.cuda.device_count() if name == "cuda" else 0
    return f"cuda:{number % count}" if count > 1 else name


def processor() -> str:
    """The processor's name as the system gives it."""
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
