"""The embedded dataset ``synthetic``: 4,000 frozen faces. Read it for counts and storage.

``python -m fer_bench.data.drawn.synthetic --freeze`` draws everything anew into synthetic.npz;
``--sheet PNG`` draws the contact sheet of the documentation. Readers only call ``load``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from hashlib import blake2b, sha256
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fer_bench.data.drawn.canvas import LEVELS
from fer_bench.data.drawn.faces import VERSION, draw_face
from fer_bench.data.drawn.units import CLASSES

FROZEN = Path(__file__).with_name("synthetic.npz")
COUNTS = {  # by class in the order of CLASSES; train as frequent as in RAF-DB, test nearly balanced
    "train": (315, 69, 175, 1167, 485, 172, 617),
    "test": (143, 143, 143, 143, 143, 143, 142),
}
STEP = 256 // LEVELS  # grey values between two sensor levels
DIGITS = {"train": 5, "test": 4}


@dataclass(frozen=True)
class Faces:
    """All faces, train first. images: uint8 [4000, 48, 48]; labels: int64 [4000], 0..6 in the order of
    CLASSES; votes: uint8 [4000, 7], ten annotators a face; ids: 4,000 names; split: "train" or "test", str
    [4000]; blend: int8 [4000], the second expression's class or -1."""

    images: np.ndarray
    labels: np.ndarray
    votes: np.ndarray
    ids: list[str]
    split: np.ndarray
    blend: np.ndarray

    def digest(self) -> str:
        """sha256 (64 hex digits) of ids, labels, votes, blends and pixels."""
        result = sha256("\n".join(self.ids).encode())
        result.update(np.ascontiguousarray(self.labels, "<i8").tobytes())
        for array in (self.votes, self.blend, self.images):
            result.update(np.ascontiguousarray(array).tobytes())
        return result.hexdigest()


def names() -> tuple[list[str], np.ndarray, np.ndarray]:
    """(ids, split str [4000], labels int64 [4000]) of all faces. A class gets its faces by the hash of the
    id, so that ids are in no order of classes."""
    ids: list[str] = []
    labels: list[np.ndarray] = []
    for split, counts in COUNTS.items():
        own = [f"{split}_{i:0{DIGITS[split]}d}" for i in range(sum(counts))]
        order = sorted(range(len(own)), key=lambda i: blake2b(f"{VERSION}|{own[i]}".encode()).digest())
        label = np.empty(len(own), np.int64)
        label[order] = np.repeat(np.arange(len(CLASSES)), counts)
        ids += own
        labels.append(label)
    split_of = np.repeat(list(COUNTS), [sum(counts) for counts in COUNTS.values()])
    return ids, split_of, np.concatenate(labels)


def draw_all() -> Faces:
    """Draw every face anew (about a minute); equals ``load`` to one of the sensor's 64 levels."""
    ids, split, labels = names()
    faces = [draw_face(name, int(label)) for name, label in zip(ids, labels, strict=True)]
    images, votes = np.stack([face.image for face in faces]), np.stack([face.votes for face in faces])
    blend = np.array([face.expression.second for face in faces], np.int8)
    return Faces(images, labels, votes, ids, split, blend)


def load() -> Faces:
    """The frozen faces, the same bytes on every machine."""
    ids, split, _ = names()
    with np.load(FROZEN, allow_pickle=False) as arrays:
        steps, labels = arrays["steps"], arrays["labels"].astype(np.int64)
        votes, blend = arrays["votes"], arrays["blend"]
    levels = np.cumsum(np.cumsum(steps, axis=2, dtype=np.uint8), axis=1, dtype=np.uint8)
    return Faces(levels * np.uint8(STEP), labels, votes, ids, split, blend)


def freeze(faces: Faces) -> None:
    """Write the frozen bytes. Levels go in as differences along both axes (modulo 256): they pack better."""
    levels = faces.images // np.uint8(STEP)
    steps = np.diff(np.diff(levels, axis=1, prepend=np.uint8(0)), axis=2, prepend=np.uint8(0))
    np.savez_compressed(FROZEN, steps=steps, labels=faces.labels.astype(np.uint8), votes=faces.votes,
                        blend=faces.blend)


def draw_sheet(path: Path, columns: int = 12, zoom: int = 2) -> None:
    """Draw the contact sheet: a row of test faces for each class, and a row of blends."""
    faces = load()
    test = np.flatnonzero(faces.split == "test")
    rows = {name: test[(faces.labels[test] == c) & (faces.blend[test] < 0)] for c, name in enumerate(CLASSES)}
    rows["blends"] = test[faces.blend[test] >= 0]
    side, margin, gap = faces.images.shape[1] * zoom, 96, 4
    sheet = Image.new("L", (margin + columns * (side + gap), gap + len(rows) * (side + gap)), 255)
    pen = ImageDraw.Draw(sheet)
    for line, (name, found) in enumerate(rows.items()):
        top = gap + line * (side + gap)
        pen.text((8, top + side // 2 - 8), name, fill=40, font=ImageFont.load_default(16))
        for column, row in enumerate(found[:columns]):
            face = Image.fromarray(faces.images[row]).resize((side, side), Image.Resampling.BICUBIC)
            sheet.paste(face, (margin + column * (side + gap), top))
    sheet.save(path, optimize=True)


def main() -> None:
    """Command line of the module."""
    parser = argparse.ArgumentParser(description="Draw the embedded dataset anew, or its contact sheet.")
    parser.add_argument("--freeze", action="store_true", help="draw all faces and rewrite synthetic.npz")
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="write the contact sheet to this file")
    arguments = parser.parse_args()
    if arguments.freeze:
        freeze(draw_all())
        print(f"{FROZEN.name}: {FROZEN.stat().st_size:,} bytes, sha256 of its faces {load().digest()}")
    if arguments.sheet:
        draw_sheet(arguments.sheet)


if __name__ == "__main__":
    main()
