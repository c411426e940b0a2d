"""The one form in which the suite holds a dataset. Read it to see what becomes of what an adapter finds.

A pack is a folder: ``images.npy`` (memory-mapped), ``samples.npz`` (ids, labels, splits, votes, other
annotations) and ``pack.json`` (name, classes, fingerprint, what was found while reading).
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from fer_bench.data.selection import Images, let_go, select

SPLITS = ("train", "valid", "test")
IMAGES, SAMPLES, ABOUT = "images.npy", "samples.npz", "pack.json"
CHUNK_BYTES = 2**24  # of pixels that are looked at together


@dataclass(frozen=True)
class Split:
    """One part of a dataset; row i of every array is the same face.

    images: uint8 [N, H, W] (grey) or [N, H, W, 3] (RGB). labels: int64 [N], 0..C-1. ids: N unique names,
    stable across machines. votes: float32 [N, C] annotator votes, or None. columns: other annotations of the
    same faces, int64 [N] with -1 for none (FERPlus has ``fer2013``).
    """

    images: Images
    labels: np.ndarray
    ids: tuple[str, ...]
    votes: np.ndarray | None = None
    columns: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Pack:
    """A whole dataset. ``fingerprint`` is the sha256 of everything in it: the same on every machine."""

    name: str
    classes: tuple[str, ...]
    splits: dict[str, Split]
    fingerprint: str
    notes: tuple[str, ...] = ()  # what a user should know: differing counts, dropped rows

    @property
    def train(self) -> Split:
        return self.splits["train"]

    @property
    def test(self) -> Split:
        return self.splits["test"]

    @property
    def channels(self) -> int:
        return 1 if self.train.images.ndim == 3 else 3


def take(split: Split, rows: np.ndarray) -> Split:
    """Some of the faces of a split, int64 rows [M]; pixels are not copied."""
    votes = None if split.votes is None else split.votes[rows]
    columns = {name: values[rows] for name, values in split.columns.items()}
    return Split(select(split.images, rows), split.labels[rows], tuple(split.ids[r] for r in rows), votes, columns)


def make_pack(name: str, classes: tuple[str, ...], splits: dict[str, Split],
              notes: tuple[str, ...] = ()) -> Pack:
    """Build a pack in memory and compute its fingerprint."""
    return Pack(name, classes, splits, fingerprint(classes, splits), notes)


def fingerprint(classes: tuple[str, ...], splits: dict[str, Split]) -> str:
    """sha256 (64 hex digits) of class names and, per split, ids, labels, votes, columns and pixels."""
    digest = hashlib.sha256("\n".join(classes).encode())
    for name in SPLITS:
        if name not in splits:
            continue
        split = splits[name]
        digest.update(f"|{name}|{split.images.shape}|".encode())
        digest.update("\n".join(split.ids).encode())
        digest.update(np.ascontiguousarray(split.labels, "<i8").tobytes())
        if split.votes is not None:
            digest.update(np.ascontiguousarray(split.votes, "<f4").tobytes())
        for column in sorted(split.columns):
            digest.update(column.encode() + np.ascontiguousarray(split.columns[column], "<i8").tobytes())
        for some in _chunks(split.images):
            digest.update(some.data)
    return digest.hexdigest()


def _chunks(images: Images) -> Iterator[np.ndarray]:
    """The images in order, a few MB at a time, so that memory does not fill with a file that is mapped into it."""
    count = max(1, CHUNK_BYTES // max(1, math.prod(images.shape[1:])))
    for start in range(0, len(images), count):
        yield np.ascontiguousarray(images[start : start + count], np.uint8)
        let_go(images)


def write_pack(pack: Pack, folder: Path, about: dict[str, Any], images: Path | None = None) -> None:
    """Write a pack beside its place and rename it there: a reader sees a whole pack or none.

    images: an images.npy that already holds all splits in order; it is moved, not copied. When another
    process has put the same pack there meanwhile, that one stays.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        temporary.chmod(0o755)  # mkdtemp makes it private; a cache may be shared
        _write_files(pack, temporary, about, images)
        try:
            os.rename(temporary, folder)
        except OSError:
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_files(pack: Pack, temporary: Path, about: dict[str, Any], ready: Path | None) -> None:
    used = [name for name in SPLITS if name in pack.splits]
    if ready is not None:
        shutil.move(ready, temporary / IMAGES)
    else:
        _write_images([pack.splits[name].images for name in used], temporary / IMAGES)
    arrays: dict[str, np.ndarray] = {}
    for name in used:
        split = pack.splits[name]
        arrays[f"{name}/labels"] = split.labels.astype(np.int64)
        arrays[f"{name}/ids"] = np.array([i.encode() for i in split.ids], dtype=bytes)
        if split.votes is not None:
            arrays[f"{name}/votes"] = split.votes.astype(np.float32)
        arrays.update({f"{name}/column/{c}": v.astype(np.int64) for c, v in split.columns.items()})
    np.savez(temporary / SAMPLES, **arrays)  # type: ignore[arg-type]
    meta = {"name": pack.name, "classes": pack.classes, "fingerprint": pack.fingerprint, "notes": pack.notes,
            "counts": {name: len(pack.splits[name]) for name in used}, **about}
    (temporary / ABOUT).write_text(json.dumps(meta, indent=1))


def _write_images(parts: list[Images], file: Path) -> None:
    shape = (sum(len(part) for part in parts), *parts[0].shape[1:])
    with open(file, "wb") as out:
        np.lib.format.write_array_header_1_0(out, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for some in chain.from_iterable(_chunks(part) for part in parts):
            out.write(some.data)


def open_pack(folder: Path) -> Pack:
    """Open a pack written by ``write_pack``. Pixels stay on disk until they are used."""
    meta = json.loads((folder / ABOUT).read_text())
    images = np.load(folder / IMAGES, mmap_mode="r", allow_pickle=False)
    splits: dict[str, Split] = {}
    start = 0
    with np.load(folder / SAMPLES, allow_pickle=False) as arrays:
        for name, count in meta["counts"].items():
            prefix = f"{name}/column/"
            columns = {k.removeprefix(prefix): arrays[k] for k in arrays.files if k.startswith(prefix)}
            ids = tuple(map(bytes.decode, arrays[f"{name}/ids"].tolist()))
            votes = arrays[f"{name}/votes"] if f"{name}/votes" in arrays.files else None
            splits[name] = Split(images[start : start + count], arrays[f"{name}/labels"], ids, votes, columns)
            start += count
    return Pack(meta["name"], tuple(meta["classes"]), splits, meta["fingerprint"], tuple(meta["notes"]))
