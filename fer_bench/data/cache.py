"""Packs in the cache folder: found again by a key of their source, checked before they are trusted.

A pack lies in ``<cache>/<dataset>-<12 hex digits>``; the key covers versions, dataset, size, root and
the source's signature (sizes and times of label files, times of image folders). An image file that was
overwritten in place does not change it: remove the pack then (``data remove``).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fer_bench.data.building import scratch
from fer_bench.data.pack import ABOUT, IMAGES, Pack, open_pack

FORMAT = 2  # raise it when pack.py, images.py or decode.py change what a pack holds


def pack_folder(cache: Path, dataset: str, key: list[Any]) -> Path:
    """Where the pack of this dataset with this key lies, there or not."""
    digest = hashlib.sha256(json.dumps([FORMAT, *key]).encode()).hexdigest()[:12]
    return cache / f"{re.sub(r'[^A-Za-z0-9]+', '-', dataset)[:40].strip('-')}-{digest}"


def open_checked(folder: Path) -> Pack:
    """Open a pack after checking that its files are whole; ValueError saying what is damaged."""
    try:
        pack = open_pack(folder)
        expected = sum(len(split) for split in pack.splits.values())
        shape = _checked_shape(folder / IMAGES)
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

    A damaged one is renamed ``*.bad`` and said. Of processes that ask at the same time one builds, and the others wait
    for it. A build that was killed goes on in its scratch folder. UserError when the cache cannot be written.
    """
    with contextlib.suppress(ValueError):
        return _opened(folder)
    with scratch(folder, say) as place:
        if folder.exists():
            try:
                return _opened(folder)  # built while this process waited
            except ValueError as error:
                _set_aside(folder, str(error), say)
        build(folder, place)
    return _opened(folder)


def _opened(folder: Path) -> Pack:
    """As open_checked; the time of pack.json then says when the pack was used."""
    pack = open_checked(folder)
    with contextlib.suppress(OSError):  # a cache of somebody else
        os.utime(folder / ABOUT)
    return pack


def _set_aside(folder: Path, reason: str, say: Callable[[str], None]) -> None:
    bad = folder.with_name(folder.name + ".bad")
    shutil.rmtree(bad, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):  # another process was faster
        os.rename(folder, bad)
    say(f"cached pack {folder} is damaged ({reason}); set aside as {bad.name} and built again")
