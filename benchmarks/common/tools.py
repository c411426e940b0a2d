"""Small things that every benchmark needs: a command line, the machine, progress, JSON, commands under the clock."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from common import RESULTS, ROOT


def parser(doc: str | None, name: str = "") -> argparse.ArgumentParser:
    """A command line whose --help is ``doc``; with --out where the results have a ``name``."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    if name:
        made.add_argument("--out", type=Path, default=RESULTS / f"{name}.json", help="JSON to write")
    return made


def about(device: str = "cpu", threads: int = 0) -> dict[str, Any]:
    """The machine, as records describe it, and the versions. threads: 0 for torch's number."""
    import torch

    from fer_bench.engine.device import environment
    from fer_bench.runs.dispatch import cores
    from fer_bench.runs.worker import versions

    machine = environment(torch.device(device), threads or torch.get_num_threads())
    return {"machine": {**machine, "cores": cores()}, "versions": {"torch": torch.__version__, **versions()}}


def write(found: dict[str, Any], out: Path) -> str:
    """Write the JSON, whole or not at all; returns its text."""
    from fer_bench.runs.store import write_whole

    text = json.dumps(found, indent=1) + "\n"
    write_whole(out, text)
    return text


def say(text: str) -> None:
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def folders(place: Path | str) -> list[str]:
    """Options that keep a command's files under ``place``."""
    return ["--results", f"{place}/r", "--work", f"{place}/w", "--cache", f"{place}/c"]


def seconds(*words: str, repeats: int = 3) -> float:
    """Median wall time of a command of run_bench.py."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run([sys.executable, str(ROOT / "run_bench.py"), *words], check=True, capture_output=True, cwd=ROOT)
        times.append(time.perf_counter() - start)
    return statistics.median(times)
