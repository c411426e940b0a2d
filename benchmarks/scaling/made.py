"""Made-up faces as a pack on disk, and made-up records of realistic size."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT

from fer_bench.data.pack import Pack, Split, write_pack
from fer_bench.runs.store import Store, render_record

BLOCK = 32 << 20  # bytes of random pixels that are written again and again
SEEDS = 5


def write_faces(folder: Path, train: int, test: int, side: int, channels: int, classes: int,
                forget: bool = False) -> int:
    """Write a pack of random faces with equal classes, never holding its pixels; returns the bytes of images.npy.

    forget: take the file out of the page cache, so that whoever reads it later pays for its pages.
    """
    rng = np.random.default_rng(0)
    folder.parent.mkdir(parents=True, exist_ok=True)
    images = folder.with_name(f"{folder.name}.npy")
    write_pixels(images, (train + test, side, side, 3)[: 3 if channels == 1 else 4], rng)
    splits = {name: Split(np.zeros((count, 0, 0), np.uint8), rng.permutation(np.arange(count) % classes),
                          tuple(f"{name}/{i:06d}.jpg" for i in range(count)))
              for name, count in (("train", train), ("test", test))}
    pack = Pack("made up", tuple(f"class{i:03d}" for i in range(classes)), splits, "made up")
    write_pack(pack, folder, {}, images)
    if forget:
        with open(folder / "images.npy", "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return (folder / "images.npy").stat().st_size


def write_pixels(file: Path, shape: tuple[int, ...], rng: np.random.Generator) -> None:
    """An .npy of random uint8, the same block of faces over and over."""
    face = math.prod(shape[1:])
    block = rng.integers(0, 256, (min(max(BLOCK // face, 1), shape[0]), face), dtype=np.uint8)
    with open(file, "wb") as out:
        np.lib.format.write_array_header_1_0(out, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for start in range(0, shape[0], len(block)):
            out.write(block[: shape[0] - start].data)
            out.flush()
            os.fsync(out.fileno())  # dirty pages would pile up, and could not be forgotten


def made_records(count: int, methods: int, full: bool = False) -> list[dict[str, Any]]:
    """``count`` records: five seeds of ``methods`` methods under as many pairs of dataset and protocol as it takes.

    full: with a curve, a confusion matrix and predictions, so that a record is as large as a real one.
    """
    sys.path.append(str(ROOT / "tests" / "support"))
    from made_records import imbalance, noise, protocol, record

    protocols = [protocol(), *(noise(r) for r in (0.1, 0.2, 0.3, 0.4)), *(imbalance(f) for f in (20, 50, 100))]
    rng, found = np.random.default_rng(0), []
    for place in range(count):
        section, rest = divmod(place, methods * SEEDS)
        method, seed = divmod(rest, SEEDS)
        overall = round(0.8 + 0.02 * float(rng.random()), 6)
        made = record(f"m{method:04d}" if method else "ce", overall, round(overall - 0.1, 6), seed=seed,
                      content=protocols[section % len(protocols)], dataset=f"data{section // len(protocols):04d}")
        if full:
            made["result"] |= {"curve": [{**made["result"]["last"], "epoch": e + 1, "loss": 1 / (e + 1), "lr": 1e-3}
                                         for e in range(12)],
                               "confusion": rng.integers(0, 300, (7, 7)).tolist(),
                               "predictions": rng.integers(0, 7, 1500).tolist()}
        found.append(made)
    return found


def write_records(folder: Path, records: list[dict[str, Any]]) -> int:
    """Put records where a store under ``folder`` keeps them, without its fsync for each; returns their bytes."""
    store, size = Store(folder / "results", folder / "work"), 0
    for made in records:
        path, text = store.record_path(made["id"]), render_record(made)
        path.parent.mkdir(parents=True, exist_ok=True)
        store.run_folder(made["id"]).mkdir(parents=True)
        path.write_text(text)
        size += len(text)
    return size


def store(folder: Path, n: int) -> int:
    """``n`` records of realistic size under ``folder``, methods and sections growing alike; returns their bytes."""
    return write_records(folder, made_records(n, max(2, round((n / SEEDS) ** 0.5)), full=True))
