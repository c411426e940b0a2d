"""What the device can do at most: measured ceilings, and the images/s that they allow.

Floor: each image's arithmetic at the measured matrix rate, then its memory traffic at the measured copy rate, one
after the other ("sum of both"): convolutions are bound by arithmetic, all between them by memory. Elementwise work is
counted as fused. The numbers of ResNet-18 are for bfloat16; float32 moves twice the bytes of activations and weights.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

# Per image in training: GFLOP of forward and both backward passes (none into the image), MB of activations in bfloat16
# with fused elementwise kernels. By image size.
WORK = {224: (10.65, 82.2), 112: (2.85, 20.9), 64: (0.869, 6.7)}
ADAM_MB = 313.0  # per step: 7 x 4 bytes x 11.18 M weights
CASTS_MB = 157.0  # per step: weights and gradients between float32 and bfloat16
WEIGHTS_MB = 67.0  # per step: weights read by three passes in bfloat16
PASSES = {"ce": 1, "nla": 2}  # forward and backward passes of each image


def floor(ceilings: dict[str, float], size: int, batch: int, method: str, precision: str) -> float | None:
    """Images/s that the ceilings allow in a precision; None for an image size that was not counted."""
    rate = ceilings.get(f"{precision}_tflops")
    if size not in WORK or not rate:
        return None
    gflop, activations = WORK[size]
    narrow = precision == "bf16"
    step = ADAM_MB + (CASTS_MB + WEIGHTS_MB if narrow else 2 * WEIGHTS_MB)
    moved = PASSES[method] * activations * (1 if narrow else 2) + step / batch
    return 1 / (PASSES[method] * gflop * 1e9 / (rate * 1e12) + moved * 1e6 / (ceilings["copy_tb_s"] * 1e12))


def best_floor(ceilings: dict[str, float], size: int, batch: int, method: str) -> dict[str, Any] | None:
    """The floor in the precision that allows most: what rows are compared with."""
    rates = {p: floor(ceilings, size, batch, method, p) for p in ("bf16", "tf32", "fp32")}
    known = {precision: rate for precision, rate in rates.items() if rate}
    if not known:
        return None
    best = max(known, key=lambda precision: known[precision])
    return {"images_per_second": known[best], "precision": best, "by_precision": known}


def measure_ceilings(device: str) -> dict[str, float]:
    """Matrix rates in TFLOP/s and the copy rate in TB/s (read and written), each the best of many trials.

    A CPU's matrix rate is the better of a matrix product and a convolution: they come from different libraries.
    """
    import torch

    cuda = device.startswith("cuda")
    side, length = (8192, 1 << 31) if cuda else (2048, 1 << 28)
    found = {}
    for name, kind in (("bf16", torch.bfloat16), ("fp32", torch.float32), *([("tf32", torch.float32)] * cuda)):
        torch.set_float32_matmul_precision("high" if name == "tf32" else "highest")
        one, other = (torch.randn(side, side, device=device).to(kind) for _ in range(2))
        product = partial(torch.mm, one, other, out=torch.empty_like(one))
        found[f"{name}_tflops"] = 2 * side**3 / best(product) / 1e12
        if not cuda:
            found[f"{name}_matmul_tflops"], found[f"{name}_conv_tflops"] = found[f"{name}_tflops"], conv_rate(kind)
            found[f"{name}_tflops"] = max(found[f"{name}_matmul_tflops"], found[f"{name}_conv_tflops"])
    torch.set_float32_matmul_precision("highest")
    source = torch.zeros(length, dtype=torch.uint8, device=device)
    found["copy_tb_s"] = 2 * length / best(partial(torch.empty_like(source).copy_, source)) / 1e12
    return found


def conv_rate(kind: Any) -> float:
    """TFLOP/s of a 3 x 3 convolution of 512 channels on the CPU."""
    import torch

    layer = torch.nn.Conv2d(512, 512, 3, padding=1, bias=False).to(kind, memory_format=torch.channels_last)
    maps = torch.randn(32, 512, 8, 8).to(kind, memory_format=torch.channels_last)
    with torch.no_grad():
        return 2 * 32 * 64 * 512 * 512 * 9 / best(partial(layer, maps)) / 1e12


def best(act: Callable[[], Any]) -> float:
    """Shortest time of one call in about a second of calls."""
    import torch
    from torch.utils.benchmark import Timer

    timer = Timer("act()", globals={"act": act}, num_threads=torch.get_num_threads())
    return min(timer.blocked_autorange(min_run_time=1.0).times)


def about(device: str) -> dict[str, Any]:
    """The device ("auto" resolved), what kind of machine this is, versions and the measured ceilings."""
    from common import tools

    from fer_bench.engine.device import choose

    chosen = str(choose(device))
    found = tools.about(chosen)
    for name in ("cv2", "kornia"):
        try:
            found["versions"][name] = str(import_module(name).__version__)
        except ImportError:
            found["versions"][name] = None
    found["versions"]["jpeg_reader"] = "cv2" if found["versions"]["cv2"] else "Pillow, since cv2 is not installed"
    return {"device": chosen, **found, "ceilings": measure_ceilings(chosen)}
