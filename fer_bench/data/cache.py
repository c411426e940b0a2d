"""Packs in the cache folder: found again by a key of their source, checked before they are trusted.

A pack lies in ``<cache>/<dataset>-<12 hex digits>``; the key covers versions, dataset, size, root and
the source's signature (sizes and times of label files, times of image folders). An image file that was
overwritten in place does not change it: delete the pack then.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fer_bench.data.pack import Pack, open_pack
from fer_bench.errors import UserError

FORMAT = 1  # raise it when pack.py or images.py change what a pack holds
LEFT_OVER_SECONDS = 24 * 3600  # after that, a half-written folder of a killed builder is swept away


def pack_folder(cache: Path, dataset: str, key: list[Any]) -> Path:
    """Where the pack of this dataset with this key lies, there or not."""
    digest = hashlib.sha256(json.dumps([FORMAT, *key]).encode()).hexdigest()[:12]
    return cache / f"{re.sub(r'[^A-Za-z0-9]+', '-', dataset)[:40].strip('-')}-{digest}"


def open_checked(folder: Path) -> Pack:
    """Open a pack after checking that its files are whole; ValueError saying what is damaged."""
    try:
        pack = open_pack(folder)
        expected = sum(len(split) for split in pack.splits.values())
        shape = _checked_shape(folder / "images.npy")
        if shape[0] != expected or any(len(s.ids) != len(s) for s in pack.splits.values()):
            raise ValueError(f"{shape[0]} images for {expected} labels")
    except (OSError, ValueError, KeyError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(str(error) or type(error).__name__) from None
    return pack


def _checked_shape(file: Path) -> tuple[int, ...]:
    """The shape that an .npy header says; ValueError when the file is shorter or longer than that."""
    images = np.load(file, mmap_mode="r", allow_pickle=False)
    expected, found = images.offset + images.nbytes, file.stat().st_size
    if images.dtype != np.uint8 or found != expected:
        raise ValueError(f"images.npy has {found} bytes of {images.dtype}, expected {expected} of uint8")
    shape: tuple[int, ...] = images.shape
    return shape


def open_or_build(folder: Path, build: Callable[[Path, Path], None], say: Callable[[str], None]) -> Pack:
    """The pack in ``folder``; built by build(folder, scratch folder) when it is absent or damaged.

    A damaged one is renamed ``*.bad`` and said. Builders that run at the same time each build; the first to
    finish is kept. UserError when the cache cannot be written.
    """
    if folder.exists():
        try:
            return open_checked(folder)
        except ValueError as error:
            _set_aside(folder, str(error), say)
    with _scratch(folder) as scratch:
        build(folder, scratch)
    return open_checked(folder)


def _set_aside(folder: Path, reason: str, say: Callable[[str], None]) -> None:
    bad = folder.with_name(folder.name + ".bad")
    shutil.rmtree(bad, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):  # another process was faster
        os.rename(folder, bad)
    say(f"cached pack {folder} is damaged ({reason}); set aside as {bad.name} and built again")


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A folder of one's own beside the pack, removed afterwards; sweeps what killed builders left."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        for old in folder.parent.glob(f".{folder.name}.*"):
            if time.time() - old.stat().st_mtime > LEFT_OVER_SECONDS:
                shutil.rmtree(old, ignore_errors=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise UserError(f"cache folder {folder.parent}: cannot be written ({error.strerror}); "
                        "give --cache a folder you may write to") from None
    try:
        yield scratch
    except OSError as error:
        raise UserError(f"building a pack in {folder.parent} stopped: {error}; mend that, make room there, "
                        "or give --cache another folder") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
