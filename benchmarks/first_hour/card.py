"""The card that the hour is about, looked at in a process of its own, so that no memory of it stays taken."""

from __future__ import annotations

import os
import re
from typing import Any

from common.child import ask
from common.tools import about

from fer_bench.errors import UserError


def find(device: str, rehearse: bool) -> dict[str, Any]:
    """The card (the processor, in a rehearsal), the machine, versions and the commit. Raises UserError without CUDA."""
    if not rehearse:
        pin(device)
    found: dict[str, Any] = ask("first_hour.card:look", "cpu" if rehearse else "cuda")
    if "missing" in found:
        raise UserError(f"--device {device}: {found['missing']}; expected a CUDA device: see whether nvidia-smi shows "
                        "one and torch is built for its driver, or try it all on the CPU with --rehearse")
    return {**found, "rehearsal": rehearse}


def pin(device: str) -> None:
    """Show this process and all below it the one GPU that was asked for. Raises UserError for a name of none."""
    if not (named := re.fullmatch(r"cuda(?::(\d+))?", device)):
        raise UserError(f"--device {device}: expected cuda or a numbered one such as cuda:1; --rehearse is for the CPU")
    if named[1]:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        names = visible.split(",") if visible else [str(number) for number in range(int(named[1]) + 1)]
        os.environ["CUDA_VISIBLE_DEVICES"] = names[int(named[1])] if int(named[1]) < len(names) else ""


def look(device: str) -> dict[str, Any]:
    """What ``find`` tells, or why there is no such device: for a child."""
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        why = "finds no device" if torch.version.cuda else "is built without CUDA"
        return {"missing": f"torch {torch.__version__} {why}"}
    found = about(device, 1)
    if device == "cuda":
        card = torch.cuda.get_device_properties(0)
        found["gpu"] = {"memory_bytes": card.total_memory, "capability": f"{card.major}.{card.minor}",
                        "multiprocessors": card.multi_processor_count, "cuda": torch.version.cuda,
                        "cudnn": torch.backends.cudnn.version()}
    return {**found, "card": found["machine"]["device"]}


def stamp(found: dict[str, Any]) -> dict[str, Any]:
    """What figures are of: those of another card or another code are not mixed with them."""
    versions = found["versions"]
    return {"card": found["card"], "commit": versions.get("commit", ""), "engine_code": versions["engine_code"]}


def slug(found: dict[str, Any]) -> str:
    """The name of the files about a card."""
    name = re.sub(r"[^a-z0-9]+", "-", found["card"].lower()).strip("-")
    return f"{'rehearsal' if found['rehearsal'] else 'gpu'}-{name}"
