"""The array that decoding fills, and a file beside it that says how much of it is done and on disk."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np


class Progress:
    """A uint8 array in a file, taken up where an earlier process stopped.

    array: memory-mapped, of the given shape. rows: that many of the first rows are done and on disk.
    """

    def __init__(self, file: Path, shape: tuple[int, ...], faces: Iterable[Any]) -> None:
        """``faces`` says what each row is of: rows count as done only where it is as before."""
        self.file = progress_file(file)
        self.total = shape[0]
        self.digest = _digest(shape, faces)
        self.rows = 0
        found = read_progress(file)
        if found.get("faces") == self.digest:
            try:
                self.array = np.lib.format.open_memmap(file, mode="r+")
                self.rows = int(found["rows"])
                return
            except (OSError, ValueError):  # begin anew
                pass
        self.file.unlink(missing_ok=True)
        self.array = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape)
        if hasattr(os, "posix_fallocate"):  # a full disk is an error now, and not a killed process later
            with open(file, "r+b") as opened:
                os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)

    def mark(self, rows: int) -> None:
        """Note that the first ``rows`` rows are done, once they are on disk."""
        self.array.flush()
        new = new_file(self.file)
        new.write_text(json.dumps({"faces": self.digest, "rows": min(rows, self.total), "of": self.total}))
        os.replace(new, self.file)
        self.rows = min(rows, self.total)


def progress_file(file: Path) -> Path:
    """Where it is noted how much of an array's file is done."""
    return file.with_suffix(".json")


def new_file(file: Path) -> Path:
    """What a file is written as before it takes the place of the old one."""
    return file.with_suffix(".new")


def read_progress(file: Path) -> dict[str, Any]:
    """{"rows": done, "of": all, "faces": digest} of an array's file, empty when none is noted."""
    try:
        found = json.loads(progress_file(file).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("rows"), int) else {}


def _digest(shape: tuple[int, ...], faces: Iterable[Any]) -> str:
    digest = hashlib.sha256(repr(shape).encode())
    for face in faces:
        digest.update(repr(face).encode())  # ASCII enough: repr escapes what is no text
    return digest.hexdigest()
