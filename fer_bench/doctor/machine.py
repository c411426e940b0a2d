"""What is installed, the processor and the accelerators, as sections of the doctor's report.

Torch may be broken, so it is imported late. Nothing here changes anything.
"""

from __future__ import annotations

import importlib
import os
import platform
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from fer_bench import __version__
from fer_bench.doctor.section import Problem, Section, first_line

PACKAGES = ("torch", "torchvision", "timm", "numpy", "pillow")
GIB = 2.0**30
NATIVE = (8, 0)  # the compute capability from which bf16 and tf32 are in hardware


def software() -> Section:
    """Versions, and whether what is installed can be imported together."""
    section, found = Section("software"), dict.fromkeys(PACKAGES, "missing")
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            section.problems.append(Problem(f"{name} is not installed: pip install -e ."))
    problem, commit = unfit(), ""
    if not problem:
        try:
            from fer_bench.runs.worker import versions

            commit = versions().get("commit", "")
        except Exception as error:
            problem = f"the suite does not load here ({first_line(error)}): pip install -e ., and install git"
    if problem:
        section.problems.append(Problem(problem))
    own = f"fer_bench {__version__}" + (f" (commit {commit[:12]})" if commit else "")
    section.rows = [(f"python {platform.python_version()}, {own}",),
                    (", ".join(f"{name} {version}" for name, version in found.items()),)]
    return section


def unfit(load: Callable[[str], Any] = importlib.import_module) -> str:
    """Why torch and torchvision do not work together, or ""."""
    name = "torch"
    try:
        torch = load("torch")
        name = "torchvision"
        load("torchvision")
        torch.ops.torchvision.nms  # noqa: B018
    except Exception as error:  # a library made for another version may raise anything
        return f"{name} does not load ({first_line(error)}): install torch and torchvision together, in one command"
    return ""


def processor() -> Section:
    """The processor, its memory, and whether others use it now."""
    import torch

    from fer_bench.engine.device import processor as name
    from fer_bench.runs.dispatch import cores

    threads = os.environ.get("OMP_NUM_THREADS")
    section = Section("processor", [("name", name())])
    section.rows.append(("cores", f"{cores()} usable of {os.cpu_count()}; OMP_NUM_THREADS "
                         + (threads or f"is not set, torch takes {torch.get_num_threads()} thread(s)")))
    if Path("/proc/meminfo").exists():
        total, available = memory(Path("/proc/meminfo").read_text())
        section.rows.append(("memory", f"{available:.1f} of {total:.1f} GiB available"))
    section.rows.append(("bf16", ", ".join(f"{what}: {there}" for what, there in bf16_instructions().items())))
    if hasattr(os, "getloadavg"):
        load = os.getloadavg()[0]
        section.rows.append(("load", f"{load:.1f} in the last minute"))
        section.problems.extend(busy(load, os.cpu_count() or 1))
    return section


def memory(meminfo: str) -> tuple[float, float]:
    """Total and available GiB, from the text of /proc/meminfo."""
    fields = dict(line.split(":", 1) for line in meminfo.splitlines() if ":" in line)
    total, available = (int(fields.get(key, "0").split()[0]) * 1024 / GIB for key in ("MemTotal", "MemAvailable"))
    return total, available


def busy(load: float, cores: int) -> list[Problem]:
    """A hint when others use the processor."""
    if load < max(1.0, 0.6 * cores):
        return []
    return [Problem(f"other processes are busy (load {load:.1f} on {cores} cores): runs are slower than they could "
                    "be, and so is what is measured below; ask again when the machine is idle", needed=False)]


def bf16_instructions() -> dict[str, str]:
    """Whether the processor has them: yes, no, or unknown where this torch does not tell (its names are private)."""
    import torch

    found = {}
    for what, name in (("AVX512-BF16", "_is_avx512_bf16_supported"), ("AMX", "_is_amx_tile_supported")):
        try:
            found[what] = "yes" if getattr(torch.cpu, name)() else "no"
        except Exception:
            found[what] = "unknown"
    return found


def accelerator() -> Section:
    """Every CUDA device that torch can use."""
    import torch

    section = Section("accelerator")
    if not torch.cuda.is_available():
        section.rows = [("none: runs go to the processor",)]
        if nvidia_seen():
            built = f"CUDA {torch.version.cuda}: update the NVIDIA driver" if torch.version.cuda else \
                "the processor alone: install a build of torch and torchvision for CUDA"
            section.problems.append(Problem(f"an NVIDIA device is here, but torch cannot use it; torch is built for "
                                            f"{built}", needed=False))
        return section
    section.columns = ("device", "name", "memory", "compute", "bf16 and tf32", "CUDA graphs")
    for index in range(torch.cuda.device_count()):
        try:
            section.rows.append(cuda_row(index))
        except RuntimeError as error:
            section.problems.append(Problem(f"cuda:{index} does not answer ({first_line(error)}): another process may "
                                            "fill it or hold it alone; choose another with --device", needed=False))
    return section


def cuda_row(index: int) -> tuple[str, ...]:
    """What one CUDA device is and can."""
    import torch

    free, total = torch.cuda.mem_get_info(index)
    capability = torch.cuda.get_device_capability(index)
    return (f"cuda:{index}", torch.cuda.get_device_name(index), f"{free / GIB:.1f} of {total / GIB:.1f} GiB free",
            "{}.{}".format(*capability), "yes" if capability >= NATIVE else "no: not faster than fp32",
            no_graphs(index) or "yes")


def no_graphs(index: int) -> str:
    """Why a CUDA graph cannot be recorded and replayed on a device, or ""."""
    import torch

    from fer_bench.engine.capture import cuda_recorder

    try:
        with torch.cuda.device(index), torch.cuda.stream(torch.cuda.Stream()):  # type: ignore[no-untyped-call]
            number = torch.zeros((), device="cuda")
            number.add_(1)
            replay, _ = cuda_recorder(torch.cuda.graph_pool_handle())(lambda: number.add_(1))
            replay()
            return "" if number.item() == 2 else "no: a replay gave something else"
    except RuntimeError as error:
        return f"no: {first_line(error)}"


def nvidia_seen() -> bool:
    """Whether the system knows an NVIDIA device, whatever torch says."""
    return Path("/dev/nvidiactl").exists() or shutil.which("nvidia-smi") is not None
