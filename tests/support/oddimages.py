"""Image files that are not plain 8-bit ones, and a process that is killed in the middle of decoding."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

BUILD = """
import itertools, os, signal, sys
from pathlib import Path
from fer_bench.data import images
from fer_bench.data.catalog import ask
from fer_bench.data.opening import open_dataset

images.BLOCK, images.MARK_BYTES, images.os.cpu_count = 4, 1, lambda: 2
_, root, cache, at, what = sys.argv
decode, numbers, seen = images.pixels, itertools.count(1), []

def pixels(*args):
    number = next(numbers)  # one at a time, whatever the thread
    seen.append(number)
    if number == int(at):
        print("reached", flush=True)
        if what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "hold":
            sys.stdin.readline()
    return decode(*args)

images.pixels = pixels
pack = open_dataset(ask(f"folder:{root}"), Path(cache), progress=lambda line: print(line, file=sys.stderr, flush=True))
print(len(seen), pack.fingerprint)
"""


def encoded(values: np.ndarray, format: str, **more: Any) -> bytes:
    """An image file of an array."""
    out = io.BytesIO()
    Image.fromarray(values).save(out, format, **more)
    return out.getvalue()


def turned(values: np.ndarray, orientation: int, format: str = "JPEG", **more: Any) -> bytes:
    """An image file with an EXIF orientation."""
    exif = Image.Exif()
    exif[0x112] = orientation
    return encoded(values, format, exif=exif, **more)


def put(folder: Path, content: dict[str, bytes]) -> Path:
    """Write files below a folder."""
    for name, data in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def start_build(root: Path, cache: Path, at: int = 0, what: str = "") -> subprocess.Popen[str]:
    """A process that makes the pack of class folders in blocks of four, each marked; at the ``at``-th image that it
    decodes it kills itself (what="kill") or waits for a line on stdin ("hold"). Prints the images decoded and the
    fingerprint at the end."""
    return subprocess.Popen([sys.executable, "-c", BUILD, str(root), str(cache), str(at), what], text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finished(process: subprocess.Popen[str], go_on: str = "\n") -> tuple[int, str, str]:
    """(images decoded, fingerprint, stderr) of such a process."""
    out, err = process.communicate(go_on, timeout=60)
    assert process.returncode == 0, err
    count, fingerprint = out.splitlines()[-1].split()
    return int(count), fingerprint, err


def killed(process: subprocess.Popen[str]) -> None:
    """Wait for a process that kills itself."""
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
