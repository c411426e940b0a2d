"""Image files to pixels: how what an adapter found becomes one uint8 array.

Images of one size keep it; several sizes are resized (bilinear) to one. Grey stays grey when all are grey.
Decoding runs in threads (Pillow lets go of the interpreter while it decodes) into one memory-mapped file,
so that AffectNet does not have to fit into memory, and a build that was killed goes on where it stopped.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from fer_bench.data.adapter import Box, Found, Rows
from fer_bench.data.archive import Source
from fer_bench.data.decode import Header, Unusable, header, pixels
from fer_bench.data.forms import Forms, first_names
from fer_bench.data.pack import SPLITS
from fer_bench.data.progress import Progress
from fer_bench.data.selection import let_go
from fer_bench.errors import UserError

BLOCK = 128  # images a task
ENOUGH = 10_000  # images that fail: it is the wrong folder, and the others are not looked at
MARK_BYTES = 2**26  # of pixels that are written to disk together
Say = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class File:
    """A file in a source and, where there is one, the face's box in it."""

    name: str
    box: Box | None = None


def load(found: Found, source: Source, size: int | None, say: Say, scratch: Path) -> dict[str, np.ndarray]:
    """Pixels of every split, uint8 [N, H, W] or [N, H, W, 3]; decoded ones lie in the file ``scratch``, beside which a
    file says how far they are.

    UserError with count and first names when images are missing or do not decode.
    """
    used = [name for name in SPLITS if name in found.splits]
    arrays = {name: found.splits[name].images for name in used}
    if all(isinstance(array, np.ndarray) for array in arrays.values()):
        return {name: resized(np.asarray(array), size) for name, array in arrays.items()}
    faces = list(chain.from_iterable(_faces(found.splits[name]) for name in used))
    forms = _forms(source, faces, say)
    found.notes.extend(forms.notes(size))
    decoded = _decode_all(source, faces, forms.side(size), forms.grey, say, scratch)
    found.notes.extend(forms.dark(decoded))
    result, start = {}, 0
    for name in used:
        result[name] = decoded[start : start + len(found.splits[name].ids)]
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


def _forms(source: Source, faces: list[File], say: Say) -> Forms:
    """Sizes, colour and oddities of all images, from their headers."""

    def look(_: int, face: File) -> tuple[str, Header]:
        return face.name, header(source.read(face.name), face.box)

    forms, failed = Forms(), Failed()
    for block in blocks(faces, look, failed, Meter(len(faces), "looked at", "images", say)):
        for name, found in block:
            forms.add(name, found)
    failed.refuse(source, len(faces), "images")
    return forms


def _decode_all(source: Source, faces: list[File], side: tuple[int, int], grey: bool, say: Say,
                scratch: Path) -> np.ndarray:
    shape = (len(faces), side[1], side[0]) if grey else (len(faces), side[1], side[0], 3)
    progress = Progress(scratch, shape, ((face.name, face.box) for face in faces))
    array, row = progress.array, progress.rows

    def decode(row: int, face: File) -> None:
        array[row] = pixels(source.read(face.name), face.box, side, grey)

    failed = Failed()
    for _ in blocks(faces, decode, failed, Meter(len(faces), "decoded", "images", say, row), row):
        row += BLOCK
        if not failed and (row - progress.rows) * array[0].nbytes >= MARK_BYTES:
            progress.mark(row)
            let_go(array)
    failed.refuse(source, len(faces), "images")
    progress.mark(len(faces))
    let_go(array)
    return array


class Failed:
    """Files that gave no image, by what is wrong with them. True when there are any."""

    def __init__(self) -> None:
        self.missing: list[str] = []
        self.broken: list[str] = []
        self.unusable: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.missing or self.broken or self.unusable)

    @property
    def enough(self) -> bool:
        """Are there so many that the others need not be looked at?"""
        return len(self.missing) + len(self.broken) + len(self.unusable) >= ENOUGH

    def refuse(self, source: Source, total: int, noun: str) -> None:
        """UserError naming the files, if there are any."""
        for names, what, mend in ((self.missing, "are listed but not there", "complete the download"),
                                  (self.broken, "cannot be decoded", "unpack them again"),
                                  (self.unusable, "cannot be used", "save them as 8-bit images of faces")):
            if names:
                least = "at least " if self.enough else ""
                raise UserError(f"{source.where()}: {least}{len(names)} of {total} {noun} {what}: "
                                f"{first_names(sorted(names))}; {mend} or delete their rows")


def each_file(source: Source, files: Sequence[File], work: Callable[[int, File], T], say: Say, verb: str,
              noun: str = "images") -> list[T]:
    """[work(row, file) for every file], in threads; UserError naming the files that are missing or broken."""
    failed = Failed()
    found = list(chain.from_iterable(blocks(files, work, failed, Meter(len(files), verb, noun, say))))
    failed.refuse(source, len(files), noun)
    return found


def blocks(files: Sequence[File], work: Callable[[int, File], T], failed: Failed, meter: Meter,
           first: int = 0) -> Iterator[list[T]]:
    """Results of ``work``, in threads but in order, by blocks of files from row ``first`` on; only a few blocks are
    held at a time. ``failed`` gets the files that are missing or broken, which are left out."""

    def block(start: int) -> list[T]:
        done: list[T] = []
        for row in range(start, min(start + BLOCK, len(files))):
            try:
                done.append(work(row, files[row]))
            except (FileNotFoundError, KeyError):
                failed.missing.append(files[row].name)
            except UserError:
                raise
            except Unusable as error:
                failed.unusable.append(f"{files[row].name} ({error})")
            except Exception:  # Pillow raises errors of a dozen kinds on a broken file
                failed.broken.append(files[row].name)
        return done

    threads = min(16, os.cpu_count() or 1)
    starts = iter(range(first, len(files), BLOCK))
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[list[T]]] = deque()
        try:
            while True:
                waiting.extend(pool.submit(block, start) for start in islice(starts, 2 * threads - len(waiting)))
                if not waiting:
                    break
                yield waiting.popleft().result()
                meter.step(BLOCK)
                if failed.enough:
                    break
        finally:
            pool.shutdown(cancel_futures=True)


class Meter:
    """Says about once a second how far a long step is: count, rate, time left. done: what an earlier process did."""

    def __init__(self, total: int, verb: str, noun: str, say: Say, done: int = 0) -> None:
        self.total, self.verb, self.noun, self.say = total, verb, noun, say
        self.done = self.before = done
        self.start = self.last = time.monotonic()

    def step(self, count: int) -> None:
        self.done = min(self.done + count, self.total)
        now = time.monotonic()
        if now - self.last >= 1:
            self.last = now
            rate = (self.done - self.before) / (now - self.start)
            left = (self.total - self.done) / rate
            self.say(f"{self.verb} {self.done:,} of {self.total:,} {self.noun}, "
                     f"{rate:,.0f}/s, {left:.0f} s left")
