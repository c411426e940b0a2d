"""Image files to pixels: how what an adapter found becomes one uint8 array.

Images of one size keep it; several sizes are resized (bilinear) to one. Grey stays grey when all are grey.
Decoding runs in threads (Pillow lets go of the interpreter while it decodes) into one memory-mapped file,
so that AffectNet does not have to fit into memory.
"""

from __future__ import annotations

import io
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from fer_bench.data.adapter import Found, Rows
from fer_bench.data.archive import Source
from fer_bench.data.pack import SPLITS
from fer_bench.errors import UserError

DEFAULT_SIZE = 112  # pixels a side, for images of several sizes
GREY_MODES = {"1", "L", "LA"}
BLOCK = 128  # images a task
Say = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True)
class File:
    """A file in a source and, where there is one, the face's box in it."""

    name: str
    box: tuple[int, int, int, int] | None = None


def first_names(names: Sequence[str]) -> str:
    """The first five names, for an error."""
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")


def load(found: Found, source: Source, size: int | None, say: Say, scratch: Path) -> dict[str, np.ndarray]:
    """Pixels of every split, uint8 [N, H, W] or [N, H, W, 3]; decoded ones lie in the new file ``scratch``.

    UserError with count and first names when images are missing or do not decode.
    """
    used = [name for name in SPLITS if name in found.splits]
    arrays = {name: found.splits[name].images for name in used}
    if all(isinstance(array, np.ndarray) for array in arrays.values()):
        return {name: resized(np.asarray(array), size) for name, array in arrays.items()}
    faces = list(chain.from_iterable(_faces(found.splits[name]) for name in used))
    side, grey = _common_form(source, faces, size, say, found.notes)
    pixels = _decode_all(source, faces, side, grey, say, scratch)
    result, start = {}, 0
    for name in used:
        result[name] = pixels[start : start + len(found.splits[name].ids)]
        start += len(found.splits[name].ids)
    return result


def _faces(rows: Rows) -> list[File]:
    if rows.boxes is None:
        return [File(str(name)) for name in rows.images]
    return [File(str(name), box) for name, box in zip(rows.images, rows.boxes, strict=True)]


def resized(images: np.ndarray, size: int | None) -> np.ndarray:
    if size is None or images.shape[1:3] == (size, size):
        return images
    small = [Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR) for image in images]
    return np.stack([np.asarray(image) for image in small])


def _common_form(source: Source, faces: list[File], size: int | None, say: Say,
                 notes: list[str]) -> tuple[tuple[int, int], bool]:
    """((width, height) of the pack, all grey?) from the images' headers."""

    def probe(_: int, face: File) -> tuple[int, int, bool]:
        with Image.open(io.BytesIO(source.read(face.name))) as image:
            width, height = image.size
            if face.box:
                width, height = face.box[2] - face.box[0], face.box[3] - face.box[1]
            return width, height, image.mode in GREY_MODES

    forms = Counter(each_file(source, faces, probe, say, "looked at"))
    sizes = {form[:2] for form in forms}
    grey = all(form[2] for form in forms)
    if size is not None:
        return (size, size), grey
    if len(sizes) == 1:
        return sizes.pop(), grey
    notes.append(f"images of {len(sizes)} sizes resized to {DEFAULT_SIZE}x{DEFAULT_SIZE} (bilinear)")
    return (DEFAULT_SIZE, DEFAULT_SIZE), grey


def _decode_all(source: Source, faces: list[File], side: tuple[int, int], grey: bool, say: Say,
                scratch: Path) -> np.ndarray:
    shape = (len(faces), side[1], side[0]) if grey else (len(faces), side[1], side[0], 3)
    pixels = np.lib.format.open_memmap(scratch, mode="w+", dtype=np.uint8, shape=shape)
    if hasattr(os, "posix_fallocate"):  # a full disk is an error now, and not a killed process later
        with open(scratch, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, scratch.stat().st_size)

    def decode(row: int, face: File) -> None:
        with Image.open(io.BytesIO(source.read(face.name))) as opened:
            image = opened.convert("L" if grey else "RGB")
        if face.box:
            image = image.crop(_inside(face.box, image.size))
        if image.size != side:
            image = image.resize(side, Image.Resampling.BILINEAR)
        pixels[row] = np.asarray(image)

    each_file(source, faces, decode, say, "decoded")
    pixels.flush()
    return pixels


def _inside(box: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The part of a box that lies in the image; ValueError when none does."""
    left, top, right, bottom = max(box[0], 0), max(box[1], 0), min(box[2], size[0]), min(box[3], size[1])
    if right <= left or bottom <= top:
        raise ValueError("the face's box lies outside the image")
    return left, top, right, bottom


def each_file(source: Source, faces: list[File], work: Callable[[int, File], T], say: Say, verb: str,
              noun: str = "images") -> list[T]:
    """[work(row, file) for every file], in threads; UserError naming the files that are missing or broken."""
    results: list[T] = []
    missing: list[str] = []
    broken: list[str] = []

    def block(start: int) -> list[T]:
        done: list[T] = []
        for row in range(start, min(start + BLOCK, len(faces))):
            try:
                done.append(work(row, faces[row]))
            except (FileNotFoundError, KeyError):
                missing.append(faces[row].name)
            except UserError:
                raise
            except Exception:  # Pillow raises errors of a dozen kinds on a broken file
                broken.append(faces[row].name)
        return done

    meter = Meter(len(faces), verb, noun, say)
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        for done in pool.map(block, range(0, len(faces), BLOCK)):
            results += done
            meter.step(BLOCK)
    for names, what, mend in ((missing, "are listed but not there", "complete the download"),
                              (broken, "cannot be decoded", "unpack them again")):
        if names:
            raise UserError(f"{source.where()}: {len(names)} of {len(faces)} {noun} {what}: "
                            f"{first_names(sorted(names))}; {mend} or delete their rows")
    return results


class Meter:
    """Says about once a second how far a long step is: count, rate, time left."""

    def __init__(self, total: int, verb: str, noun: str, say: Say) -> None:
        self.total, self.verb, self.noun, self.say = total, verb, noun, say
        self.done = 0
        self.start = self.last = time.monotonic()

    def step(self, count: int) -> None:
        self.done = min(self.done + count, self.total)
        now = time.monotonic()
        if now - self.last >= 1:
            self.last = now
            rate = self.done / (now - self.start)
            left = (self.total - self.done) / rate
            self.say(f"{self.verb} {self.done:,} of {self.total:,} {self.noun}, "
                     f"{rate:,.0f}/s, {left:.0f} s left")
