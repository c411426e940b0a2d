"""What is installed, the processor and the accelerators, as sections of the doctor's report. Nothing is changed."""

from __future__ import annotations

import importlib
import os
import platform
import re
import shutil
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from fer_bench import __version__
from fer_bench.doctor.section import Section, first_line
from fer_bench.protocols.protocol import load_recipe, recipe_names

PACKAGES = ("torch", "torchvision", "timm", "numpy", "pillow", "submitit")
GIB = 2.0**30


def software() -> Section:
    """Versions, and whether what is installed can be imported together."""
    section, versions, own = Section("software"), [], f"fer_bench {__version__}"
    for name in PACKAGES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            section.broken.append(f"{name} is not installed: pip install -e .")
    if problem := unfit():
        section.broken.append(problem)
    else:
        from fer_bench.runs.worker import own_commit

        own += f" (commit {commit[:12]})" if (commit := own_commit()) else ""
    section.rows = [(f"python {platform.python_version()}, {own}",), (", ".join(versions),)]
    return section


def unfit(load: Callable[[str], Any] = importlib.import_module) -> str:
    """Why torch, torchvision and the suite cannot be loaded together, or ""."""
    name, mend = "torch", "install torch and torchvision together, in one command"
    try:
        torch = load("torch")
        name = "torchvision"
        load("torchvision")
        torch.ops.torchvision.nms  # noqa: B018
        name, mend = "the suite", "pip install -e ."
        load("fer_bench.runs.worker")
    except Exception as error:  # a library made for another version may raise anything
        return f"{name} does not load ({first_line(error)}): {mend}"
    return ""


def processor() -> Section:
    """The processor, its memory, and whether others use it now."""
    from fer_bench.engine.device import processor as name
    from fer_bench.runs.dispatch import cores

    several = f", --jobs {cores()} does {cores()} runs at a time" if cores() > 1 else ""
    section = Section("processor", [("name", name()), (
        "cores", f"{cores()} usable of {os.cpu_count()}; a run has one thread{several}")])
    if Path("/proc/meminfo").exists():
        total, available = memory(Path("/proc/meminfo").read_text())
        section.rows.append(("memory", f"{available:.1f} of {total:.1f} GiB available"))
    section.rows.append(("bf16", bf16_instructions()))
    if hasattr(os, "getloadavg"):
        load = os.getloadavg()[0]
        section.rows.append(("load", f"{load:.1f} in the last minute"))
        section.notes += busy(load, os.cpu_count() or 1)
    return section


def memory(meminfo: str) -> tuple[float, float]:
    """Total and available GiB, from the text of /proc/meminfo."""
    fields = dict(re.findall(r"(\w+): +(\d+) kB", meminfo))
    return int(fields["MemTotal"]) * 1024 / GIB, int(fields["MemAvailable"]) * 1024 / GIB


def busy(load: float, cores: int) -> list[str]:
    """A note when others use the processor."""
    if load < max(1.0, 0.6 * cores):
        return []
    return [f"other processes are busy (load {load:.1f} on {cores} cores): runs are slower than they could be, and so "
            "is what is measured below; ask again when the machine is idle"]


def bf16_instructions() -> str:
    """The processor's instructions for bf16 by torch's names, or unknown where this torch does not tell."""
    import torch

    known: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    found = ", ".join(name for name, there in known.items() if "bf16" in name and there)
    return found or ("no instructions for it" if known else "unknown")


def accelerator() -> Section:
    """Every CUDA device that torch can use."""
    import torch

    section = Section("accelerator", columns=("device", "name", "memory", "compute", "CUDA graphs"))
    if not torch.cuda.is_available():
        section.rows, section.columns = [("none: runs go to the processor",)], ()
        if nvidia_seen():
            section.notes.append("an NVIDIA device is here, but torch cannot use it; torch is built for " + (
                f"CUDA {torch.version.cuda}: update the NVIDIA driver" if torch.version.cuda else
                "the processor alone: install a build of torch and torchvision for CUDA"))
        return section
    for index in range(torch.cuda.device_count()):
        try:
            free, total = torch.cuda.mem_get_info(index)
            compute = torch.cuda.get_device_capability(index)
            section.rows.append((f"cuda:{index}", torch.cuda.get_device_name(index),
                                 f"{free / GIB:.1f} of {total / GIB:.1f} GiB free", "{}.{}".format(*compute),
                                 no_graphs(index) or "yes"))
        except RuntimeError as error:
            section.notes.append(f"cuda:{index} does not answer ({first_line(error)}): another process may fill it or "
                                 "hold it alone; choose another with --device")
        else:
            section.notes += slow_recipes(index)
    return section


def slow_recipes(index: int) -> list[str]:
    """A note on the recipes whose precision a GPU has not in hardware."""
    import torch

    from fer_bench.engine.device import slow_precision

    names: dict[str, list[str]] = {}
    for name in recipe_names():
        names.setdefault(slow_precision(load_recipe(name).precision, torch.device("cuda", index)), []).append(name)
    return [f"recipes {' and '.join(those)}: {line}" for line, those in names.items() if line]


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
